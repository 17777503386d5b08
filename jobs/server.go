package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
)

// Task is what a worker gets from the queue.
type Task struct {
	OperationID string
	Dispatch    int    // the number of this task among those published for the operation
	Queue       string // where it came from
}

// RetryError makes the queue bring a task again after Delay. The operation's row says the same; the queue only shows it.
type RetryError struct {
	Delay time.Duration
	Err   error
}

func (e *RetryError) Error() string { return e.Err.Error() }
func (e *RetryError) Unwrap() error { return e.Err }

// StopError makes the queue set a task aside, where Asynqmon shows it as archived.
type StopError struct{ Err error }

func (e *StopError) Error() string   { return e.Err.Error() }
func (e *StopError) Unwrap() []error { return []error{e.Err, asynq.SkipRetry} }

// Server runs the tasks of one class.
type Server struct{ asynq *asynq.Server }

// ShutdownTimeout is how long a server that is told to stop waits for the tasks that run: more than any of them may take.
const ShutdownTimeout = 25 * time.Second

// Serve starts running the tasks of a class, at most concurrency at once, with handle.
func (c *Client) Serve(class Class, concurrency int, log *slog.Logger, handle func(context.Context, Task) error) (*Server, error) {
	check := 200 * time.Millisecond
	if class == Revoke {
		check = 50 * time.Millisecond
	}
	server := asynq.NewServer(c.option, asynq.Config{
		Concurrency:              concurrency,
		Queues:                   map[string]int{class.Queue(false): 8, class.Queue(true): 1},
		TaskCheckInterval:        check,
		DelayedTaskCheckInterval: time.Second,
		ShutdownTimeout:          ShutdownTimeout,
		RetryDelayFunc: func(_ int, err error, _ *asynq.Task) time.Duration {
			var retry *RetryError
			if errors.As(err, &retry) {
				return retry.Delay
			}
			return time.Second
		},
		// A task whose lease was lost has not failed: the operation's row knows how it stands.
		IsFailure: func(err error) bool { return !errors.Is(err, asynq.ErrLeaseExpired) },
		Logger:    quiet{log.With("class", string(class))},
		LogLevel:  asynq.WarnLevel,
	})
	err := server.Start(asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		task := Task{OperationID: string(t.Payload())}
		task.Queue, _ = asynq.GetQueueName(ctx)
		if id, ok := asynq.GetTaskID(ctx); ok {
			if _, n, ok := ParseTaskID(id); ok {
				task.Dispatch = n
			}
		}
		return handle(ctx, task)
	}))
	if err != nil {
		return nil, fmt.Errorf("start the %s queue: %w", class, err)
	}
	return &Server{server}, nil
}

// Stop lets running tasks end, up to ShutdownTimeout, and takes no new ones meanwhile.
func (s *Server) Stop() {
	s.asynq.Stop()
	s.asynq.Shutdown()
}

// quiet passes Asynq's complaints on. While Redis is away it complains every second in every loop: that is said once,
// by the worker, so these are for debugging.
type quiet struct{ log *slog.Logger }

func (q quiet) Debug(args ...any) {}
func (q quiet) Info(args ...any)  {}
func (q quiet) Warn(args ...any)  { q.log.Debug("asynq", "warning", fmt.Sprint(args...)) }
func (q quiet) Error(args ...any) { q.log.Debug("asynq", "error", fmt.Sprint(args...)) }
func (q quiet) Fatal(args ...any) { q.log.Error("asynq", "error", fmt.Sprint(args...)) }
