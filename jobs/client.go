package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"outpost/models"
)

// Client is the way to Redis: it enqueues, looks at queues, and knows whether Redis can be reached.
// Redis is a fast bell and nothing else; the product works without it.
type Client struct {
	option asynq.RedisConnOpt
	redis  redis.UniversalClient

	mu    sync.RWMutex
	asynq *asynq.Client
	epoch string

	inspector *asynq.Inspector
	lastSeen  atomic.Int64 // when Redis last answered, in nanoseconds; 0 for never
}

// Connect prepares a client for redis://, rediss:// or redis-sentinel://. It succeeds while Redis is away.
func Connect(url string) (*Client, error) {

	option, err := asynq.ParseRedisURI(url)
	if err != nil {
		return nil, &models.Error{Code: models.Invalid, Detail: "REDIS_URL must be redis://host:port, rediss://host:port or redis-sentinel://host:port?master=name"}
	}
	made, ok := option.MakeRedisClient().(redis.UniversalClient)
	if !ok {
		return nil, fmt.Errorf("redis client of type %T", option.MakeRedisClient())
	}
	return &Client{option: option, redis: made, asynq: asynq.NewClient(option), inspector: asynq.NewInspector(option)}, nil
}

// Close ends every connection.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.asynq.Close(), c.inspector.Close(), c.redis.Close())
}

// Connection is what Asynqmon needs to reach the same Redis.
func (c *Client) Connection() asynq.RedisConnOpt { return c.option }

// Away is how long Redis has not answered; 0 while it does. It is known by Watch.
func (c *Client) Away() time.Duration {
	seen := c.lastSeen.Load()
	if seen == 0 {
		return time.Hour
	}
	if d := time.Since(time.Unix(0, seen)); d > 1500*time.Millisecond {
		return d
	}
	return 0
}

// silence keeps go-redis from writing to standard error by itself: whether Redis answers is said by Watch.
type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

func init() { redis.SetLogger(silence{}) } // before anybody dials

// Watch keeps track of whether Redis answers, until ctx ends, and logs when that changes. It notices a Redis that was emptied and forgets, with the
// Asynq client, which queues that client believes to be registered.
func (c *Client) Watch(ctx context.Context, log *slog.Logger) {
	started, away := time.Now(), false
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		c.look(ctx)
		switch gone := c.Away() > 0 && time.Since(started) > 2*time.Second; {
		case gone && !away:
			log.Warn("Redis does not answer: workers ask the database for work until it is back")
			away = true
		case !gone && away:
			log.Info("Redis answers again")
			away = false
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (c *Client) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	epoch, err := c.Epoch(ctx)
	if err != nil {
		return
	}
	c.lastSeen.Store(time.Now().UnixNano())
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch != c.epoch {
		if c.epoch != "" {
			old := c.asynq
			c.asynq = asynq.NewClient(c.option)
			old.Close()
		}
		c.epoch = epoch
	}
}

const epochKey = "outpost:epoch"

// Epoch reads the mark that tells this Redis from an emptied one; "" when there is none.
func (c *Client) Epoch(ctx context.Context) (string, error) {
	v, err := c.redis.Get(ctx, epochKey).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return v, err
}

// SetEpoch leaves the mark.
func (c *Client) SetEpoch(ctx context.Context, epoch string) error {
	return c.redis.Set(ctx, epochKey, epoch, 0).Err()
}

// TaskID is the id of the n-th task published for an operation. A new number escapes every way in which Asynq keeps an
// id blocked.
func TaskID(operationID string, n int) string { return "op:" + operationID + ":" + strconv.Itoa(n) }

// ParseTaskID is the reverse of TaskID.
func ParseTaskID(id string) (operationID string, n int, ok bool) {
	rest, found := strings.CutPrefix(id, "op:")
	operationID, number, cut := strings.Cut(rest, ":")
	n, err := strconv.Atoi(number)
	return operationID, n, found && cut && err == nil
}

// maxRetry is above every kind's own limit: the operation's row decides when it is enough.
const maxRetry = 1000

// Enqueue publishes the next task of an operation and names the queue. A task that is there already counts as published.
func (c *Client) Enqueue(ctx context.Context, op models.Operation, bulk bool) (queue string, err error) {
	policy := Of(op.Kind)
	queue = policy.Class.Queue(bulk)
	options := []asynq.Option{asynq.Queue(queue), asynq.TaskID(TaskID(op.ID, op.Dispatches+1)), asynq.MaxRetry(maxRetry), asynq.Timeout(policy.Timeout)}
	if at := op.NotBefore; time.Until(at) > time.Second {
		options = append(options, asynq.ProcessAt(at.Add(time.Second-1).Truncate(time.Second))) // Asynq keeps whole seconds, rounded down
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, err = c.asynq.EnqueueContext(ctx, asynq.NewTask(policy.Task, []byte(op.ID), options...))
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		err = nil
	}
	return queue, err
}

// Head is where a queue stands.
type Head struct {
	Empty, Paused bool
	TaskID        string // the next task to run
}

// Head looks at the front of a queue.
func (c *Client) Head(ctx context.Context, queue string) (Head, error) {
	prefix := "asynq:{" + queue + "}:"
	pipe := c.redis.Pipeline()
	next, paused := pipe.LIndex(ctx, prefix+"pending", -1), pipe.Exists(ctx, prefix+"paused")
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return Head{}, err
	}
	return Head{Empty: errors.Is(next.Err(), redis.Nil), Paused: paused.Val() > 0, TaskID: next.Val()}, nil
}

// Archived lists the operations with an archived task in a queue, at most limit.
func (c *Client) Archived(queue string, limit int) ([]string, error) {
	tasks, err := c.inspector.ListArchivedTasks(queue, asynq.PageSize(limit))
	if errors.Is(err, asynq.ErrQueueNotFound) {
		return nil, nil
	}
	ids := make([]string, len(tasks))
	for i, t := range tasks {
		ids[i] = t.ID
	}
	return ids, err
}

// DeleteTask forgets a task that is not running. One that is gone already is no error.
func (c *Client) DeleteTask(queue, taskID string) error {
	err := c.inspector.DeleteTask(queue, taskID)
	if errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound) {
		return nil
	}
	return err
}

// CheckServer tells the version of Redis, and reports, in a sentence for the operator, one that cannot serve: too old, or
// set to drop keys when memory runs short.
func (c *Client) CheckServer(ctx context.Context) (string, error) {
	f, err := c.Facts(ctx)
	if err != nil {
		return "", err
	}
	version, policy := f.Version, f.Policy
	var major, minor int
	if n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor); n == 2 && (major < 6 || major == 6 && minor < 2) {
		return version, &models.Error{Code: models.Unavailable, Detail: "Redis " + version + " is too old: 6.2 or newer is needed"}
	}
	if policy != "" && policy != "noeviction" {
		return version, &models.Error{Code: models.Unavailable, Detail: "Redis drops keys when memory runs short (maxmemory-policy " + policy + "): set it to noeviction"}
	}
	return version, nil
}
