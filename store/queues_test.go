package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/store"
)

func TestIDsAreInTheOrderOfTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 14, 4, 38, 123456789, time.UTC)
	id := store.FirstID(at)
	if !store.IDTime(id).Equal(at.Truncate(time.Millisecond)) {
		t.Error(store.IDTime(id))
	}
	if id >= store.FirstID(at.Add(time.Millisecond)) || id <= store.FirstID(at.Add(-time.Millisecond)) {
		t.Error("neighbours are not in order")
	}
	now := time.Now()
	if made := uuid.Must(uuid.NewV7()).String(); made < store.FirstID(now) || made >= store.FirstID(now.Add(time.Minute)) {
		t.Errorf("%s is not of now", made)
	}
	if !store.IDTime("none").IsZero() {
		t.Error("any text has a time")
	}
}

func TestQueueFiguresAreExact(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		now := time.Now().UTC()
		n := 0
		put := func(workspace, class string, state models.OperationState, made, due time.Duration) {
			t.Helper()
			n++
			op := &models.Operation{ID: store.FirstID(now.Add(made))[:24] + fmt.Sprintf("%012x", n), WorkspaceID: workspace, Kind: models.KindUserUpsert, Class: class, ResourceType: models.ResourceUser,
				ResourceID: w.Connection.ID, Version: 1, State: state, NotBefore: now.Add(due), CreatedAt: now.Add(made)}
			if state == models.OperationDone || state == models.OperationFailed {
				op.FinishedAt = &now
			}
			if err := add(w, op); err != nil {
				t.Fatal(err)
			}
		}
		acme := w.Workspace.ID
		empty, err := w.Store.QueueFigures(t.Context())
		if err != nil || len(empty.Workspaces) != 0 || empty.Classes["provision"] != (store.ClassFigures{}) {
			t.Fatalf("%+v %v", empty, err)
		}
		for range 3 {
			put(acme, "provision", models.OperationPending, -time.Hour, -90*time.Second)
		}
		put(acme, "provision", models.OperationPending, -time.Hour, time.Hour)
		put(acme, "provision", models.OperationRunning, -time.Hour, -time.Hour)
		put(acme, "provision", models.OperationHeld, 0, -time.Hour)
		put(acme, "mail", models.OperationPending, 0, time.Minute)
		for range 4 {
			put(acme, "provision", models.OperationDone, 0, 0)
			put(acme, "provision", models.OperationFailed, -time.Hour, 0)
		}
		var others []models.Workspace
		for i := range 11 {
			o := models.Workspace{ID: store.FirstID(now)[:24] + fmt.Sprintf("%012x", 500+i), Slug: fmt.Sprint("o", i), Name: fmt.Sprint("Other ", i), Plan: models.PlanEnterprise, CreatedAt: now}
			if err := add(w, &o); err != nil {
				t.Fatal(err)
			}
			others = append(others, o)
			for range 1 + i%2 {
				put(o.ID, "groups", models.OperationPending, -time.Hour, -10*time.Second)
			}
		}
		put(others[3].ID, "revoke", models.OperationPending, -time.Hour, -200*time.Second)
		put(others[3].ID, "revoke", models.OperationPending, -time.Hour, -100*time.Second)
		q, err := w.Store.QueueFigures(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		since := func(d, want time.Duration) bool { return d >= want && d < want+20*time.Second }
		if c := q.Classes["provision"]; c.Waiting != 3 || c.Delayed != 1 || c.Running != 1 || c.In != 0.4 || c.Open() != 5 || !since(c.Oldest, 90*time.Second) {
			t.Errorf("provision %+v", c)
		}
		if c := q.Classes["mail"]; c.Waiting != 0 || c.Delayed != 1 || c.In != 0.1 || c.Oldest != 0 {
			t.Errorf("mail %+v", c)
		}
		if c := q.Classes["groups"]; c.Waiting != 16 || c.In != 0 || !since(c.Oldest, 10*time.Second) {
			t.Errorf("groups %+v", c)
		}
		if len(q.Workspaces) != 10 {
			t.Fatalf("%+v", q.Workspaces)
		}
		if a, b := q.Workspaces[0], q.Workspaces[1]; a.Name != "Other 3" || a.Waiting != 4 || !since(a.Oldest, 200*time.Second) || b.Name != "Acme" || b.Waiting != 3 || !since(b.Oldest, 90*time.Second) {
			t.Errorf("%+v", q.Workspaces[:2])
		}
	})
}
