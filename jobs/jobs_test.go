package jobs

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"outpost/internal/testkit"
	"outpost/models"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestEveryKindHasAPolicyOfItsOwn(t *testing.T) {
	t.Parallel()
	tasks := map[string]bool{}
	classes := map[Class]bool{}
	for _, c := range Classes {
		classes[c.Class] = true
		if c.Concurrency < 1 {
			t.Errorf("%s has no places", c.Class)
		}
	}
	for _, p := range Kinds {
		if tasks[p.Task] || strings.ReplaceAll(p.Task, ":", ".") != string(p.Kind) || !classes[p.Class] || p.Attempts < 1 || p.Attempts >= maxRetry || p.Timeout > 20*time.Second || p.Timeout >= ShutdownTimeout {
			t.Errorf("%+v", p)
		}
		tasks[p.Task] = true
		last := time.Duration(0)
		for n := 1; n <= p.Attempts; n++ {
			d := p.Delay(n)
			if d < last/2 || d <= 0 || d > 3*time.Hour {
				t.Errorf("%s waits %v after failure %d, and %v before", p.Kind, d, n, last)
			}
			last = d
		}
	}
	if p := Of("no.such"); p.Class != Upkeep || p.Delay(1) <= 0 {
		t.Errorf("unknown kind: %+v", p)
	}
}

func TestTaskIDs(t *testing.T) {
	t.Parallel()
	id, n, ok := ParseTaskID(TaskID("0199-abc", 12))
	if id != "0199-abc" || n != 12 || !ok {
		t.Error(id, n, ok)
	}
	for _, bad := range []string{"", "op:", "op:x", "op:x:y", "x:1"} {
		if _, _, ok := ParseTaskID(bad); ok {
			t.Errorf("%q is one", bad)
		}
	}
}

func connect(t *testing.T) (*Client, *testkit.RedisServer) {
	t.Helper()
	r := testkit.NewRedis(t)
	c, err := Connect(r.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, r
}

func operation(kind models.Kind, id string) models.Operation {
	return models.Operation{ID: id, Kind: kind, NotBefore: time.Now()}
}

func TestATaskCarriesTheIDAndNothingElse(t *testing.T) {
	t.Parallel()
	c, _ := connect(t)
	op := operation(models.KindUserUpsert, "one")
	op.Error, op.ResourceID = "ada@acme.test", "resource"
	for range 2 { // the second is there already, which is no error
		if queue, err := c.Enqueue(t.Context(), op, false); err != nil || queue != "provision" {
			t.Fatal(queue, err)
		}
	}
	tasks, err := c.inspector.ListPendingTasks("provision")
	if err != nil || len(tasks) != 1 {
		t.Fatal(tasks, err)
	}
	if task := tasks[0]; string(task.Payload) != "one" || task.ID != "op:one:1" || task.Type != "user:upsert" || task.Retention != 0 {
		t.Errorf("task %+v", task)
	}
	head, err := c.Head(t.Context(), "provision")
	if err != nil || head.Empty || head.Paused || head.TaskID != "op:one:1" {
		t.Errorf("head %+v %v", head, err)
	}
	if head, err := c.Head(t.Context(), "revoke"); err != nil || !head.Empty {
		t.Errorf("head %+v %v", head, err)
	}
	if queue, err := c.Enqueue(t.Context(), operation(models.KindUserUpsert, "two"), true); err != nil || queue != "provision-bulk" {
		t.Error(queue, err)
	}
}

func TestAHeldMailIsScheduledAndNeverEarly(t *testing.T) {
	t.Parallel()
	c, _ := connect(t)
	op := operation(models.KindInvitationEmail, "mail")
	op.NotBefore = time.Now().Add(10 * time.Second)
	if _, err := c.Enqueue(t.Context(), op, false); err != nil {
		t.Fatal(err)
	}
	tasks, err := c.inspector.ListScheduledTasks("mail")
	if err != nil || len(tasks) != 1 || tasks[0].NextProcessAt.Before(op.NotBefore) || tasks[0].NextProcessAt.After(op.NotBefore.Add(time.Second)) {
		t.Errorf("scheduled %+v %v, not before %v", tasks, err, op.NotBefore)
	}
}

func TestAFailureIsShownByAsynqAsTheRowHasIt(t *testing.T) {
	t.Parallel()
	c, _ := connect(t)
	answers := map[string]error{
		"retried": &RetryError{Delay: time.Hour, Err: errors.New("busy")},
		"stopped": &StopError{Err: errors.New("never")},
		"done":    nil,
	}
	ran := make(chan string, 10)
	s, err := c.Serve(Provision, 2, slog.New(slog.DiscardHandler), func(_ context.Context, task Task) error {
		ran <- task.OperationID
		if task.Dispatch != 1 {
			t.Errorf("dispatch %d", task.Dispatch)
		}
		return answers[task.OperationID]
	})
	if err != nil {
		t.Fatal(err)
	}
	for id := range answers {
		if _, err := c.Enqueue(t.Context(), operation(models.KindUserUpsert, id), false); err != nil {
			t.Fatal(err)
		}
	}
	for range answers {
		select {
		case <-ran:
		case <-time.After(10 * time.Second):
			t.Fatal("not run")
		}
	}
	s.Stop()
	retried, err := c.inspector.ListRetryTasks("provision")
	if err != nil || len(retried) != 1 || retried[0].ID != "op:retried:1" || time.Until(retried[0].NextProcessAt) < 50*time.Minute {
		t.Errorf("retry %+v %v", retried, err)
	}
	archived, err := c.Archived("provision", 10)
	if err != nil || len(archived) != 1 || archived[0] != "op:stopped:1" {
		t.Errorf("archived %v %v", archived, err)
	}
	for range 2 {
		if err := c.DeleteTask("provision", "op:stopped:1"); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.inspector.GetTaskInfo("provision", "op:done:1"); !errors.Is(err, asynq.ErrTaskNotFound) {
		t.Errorf("a done task stays: %v", err)
	}
}

func TestAbsenceAndReturnOfRedisAreNoticed(t *testing.T) {
	t.Parallel()
	c, r := connect(t)
	if c.Away() == 0 {
		t.Error("known before it was seen")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); c.Watch(ctx, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() { cancel(); <-done })
	here := func() bool { return c.Away() == 0 }
	testkit.Eventually(t, 5*time.Second, "Redis is seen", here)
	if err := c.SetEpoch(t.Context(), "first"); err != nil {
		t.Fatal(err)
	}
	if version, err := c.CheckServer(t.Context()); err != nil || version == "" {
		t.Error(version, err)
	}
	if err := c.redis.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CheckServer(t.Context()); err == nil || !strings.Contains(err.Error(), "noeviction") {
		t.Errorf("a Redis that drops keys: %v", err)
	}
	r.Kill()
	testkit.Eventually(t, 10*time.Second, "the loss is noticed", func() bool { return c.Away() > 2*time.Second })
	r.Restart()
	testkit.Eventually(t, 10*time.Second, "the return is noticed", here)
	if e, err := c.Epoch(t.Context()); err != nil || e != "" {
		t.Errorf("an emptied Redis has the mark %q %v", e, err)
	}
	if _, err := Connect("http://x"); !models.Is(err, models.Invalid) {
		t.Errorf("a URL that is none: %v", err)
	}
}

func TestServersAddUpToPlaces(t *testing.T) {
	t.Parallel()
	c, r := connect(t)
	if _, err := c.Servers(t.Context()); !models.Is(err, models.Unavailable) {
		t.Errorf("asked a Redis that nobody has seen: %v", err)
	}
	if _, err := (*Client)(nil).Servers(t.Context()); !models.Is(err, models.Unavailable) {
		t.Errorf("asked without a Redis: %v", err)
	}
	c.look(t.Context())
	for class, n := range map[Class]int{Provision: 3, Mail: 2} {
		s, err := c.Serve(class, n, slog.New(slog.DiscardHandler), func(context.Context, Task) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		defer s.Stop()
	}
	var places map[Class]Places
	processes := 0
	testkit.Eventually(t, 10*time.Second, "both servers are known", func() bool {
		c.look(t.Context())
		servers, err := c.Servers(t.Context())
		places, processes = PlacesOf(servers)
		return err == nil && len(servers) == 2
	})
	if processes != 1 || places[Provision] != (Places{1, 3}) || places[Mail] != (Places{1, 2}) || places[Revoke] != (Places{}) {
		t.Errorf("%d processes, %+v", processes, places)
	}
	if f, err := c.Facts(t.Context()); err != nil || f.Version == "" || f.Memory == 0 {
		t.Errorf("%+v %v", f, err)
	}
	r.Kill()
	testkit.Eventually(t, 10*time.Second, "it is said that Redis is away", func() bool {
		_, err := c.Servers(t.Context())
		return models.Is(err, models.Unavailable)
	})
}
