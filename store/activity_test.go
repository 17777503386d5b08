package store_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/store"
)

func TestARareKindIsLookedForAPartAtATime(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		var want []string
		for i := range 100 {
			kind := models.KindUserUpsert
			if i%30 == 0 {
				kind = models.KindNoticeEmail
			}
			id := uuid.Must(uuid.NewV7()).String()
			op := models.Operation{ID: id, WorkspaceID: w.Workspace.ID, Kind: kind, Class: "upkeep", ResourceType: models.ResourceUser, ResourceID: id, State: models.OperationPending, CreatedAt: w.Clock.Now()}
			if kind == models.KindNoticeEmail {
				want = append(want, op.ID)
			}
			if err := w.Store.Write(t.Context(), func(tx *store.Tx) error { tx.Add(&op); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		slices.Reverse(want)
		var got []string
		q := store.ActivityQuery{WorkspaceID: w.Workspace.ID, Kind: models.KindNoticeEmail, Limit: 2, Look: 20}
		further := 0
		for pages := 0; ; pages++ {
			p, err := w.Store.Activity(t.Context(), q)
			if err != nil || pages > 20 {
				t.Fatal(err, pages)
			}
			for _, r := range p.Rows {
				got = append(got, r.Operation.ID)
			}
			if p.Further {
				further++
			}
			if p.Next == "" {
				break
			}
			q.Before = p.Next
		}
		if !slices.Equal(got, want) || further < 4 {
			t.Errorf("%d parts gave %q, want %q", further, got, want)
		}
	})
}

func TestActivityOfAnotherWorkspaceIsNeverFound(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		u := w.User("ada")
		const other = "0199c3f0-0000-7000-8000-000000000001"
		entries, err := w.Store.Audit(t.Context(), w.Workspace.ID, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{u.ID, entries[0].ID, w.Operations()[0].ID} {
			found, err := w.Store.FindActivityByID(t.Context(), other, id)
			if err != nil {
				t.Fatal(err)
			}
			if p, err := w.Store.Activity(t.Context(), store.ActivityQuery{WorkspaceID: other, Found: &found, Limit: 50}); err != nil || len(p.Rows) > 0 {
				t.Errorf("%+v, %v", p, err)
			}
		}
		if found, err := w.Store.FindActivityByText(t.Context(), other, "ada", "ada"); err != nil || len(found.About)+len(found.Entries) > 0 {
			t.Errorf("%+v, %v", found, err)
		}
		if names, err := w.Store.Names(t.Context(), other, []string{u.ID}); err != nil || len(names) > 0 {
			t.Errorf("%v, %v", names, err)
		}
		if _, err := w.Store.Entry(t.Context(), other, entries[0].ID); !models.Is(err, models.NotFound) {
			t.Errorf("%v", err)
		}
	})
}
