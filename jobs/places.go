package jobs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"outpost/models"
)

// ServerInfo is what Redis knows of one server, which is one class in one worker process. Workers tell it every few seconds.
type ServerInfo struct {
	Class       Class
	Host        string
	PID         int
	Started     time.Time
	Concurrency int // places
	Active      int // of them at work, as last told
}

// awayError is the error of asking a Redis that does not answer.
func awayError() error {
	return &models.Error{Code: models.Unavailable, Detail: "Redis does not answer, so nobody can say which workers run: they ask the database for work until it is back"}
}

// Servers lists the servers that tell Redis they are running, in no order. It fails with Unavailable while Redis is away,
// and for a nil Client, which is an installation without Redis.
func (c *Client) Servers(ctx context.Context) ([]ServerInfo, error) {
	if c == nil {
		return nil, &models.Error{Code: models.Unavailable, Detail: "there is no Redis here, so nobody can say which workers run: they ask the database for work"}
	}
	if c.Away() > 0 {
		return nil, awayError()
	}
	type answer struct {
		servers []ServerInfo
		err     error
	}
	answered := make(chan answer, 1)
	go func() { // the inspector does not know contexts
		found, err := c.inspector.Servers()
		var servers []ServerInfo
		for _, s := range found {
			for _, known := range Classes {
				if _, ok := s.Queues[known.Class.Queue(false)]; ok {
					servers = append(servers, ServerInfo{Class: known.Class, Host: s.Host, PID: s.PID, Started: s.Started, Concurrency: s.Concurrency, Active: len(s.ActiveWorkers)})
				}
			}
		}
		answered <- answer{servers, err}
	}()
	select {
	case a := <-answered:
		if a.err != nil {
			return nil, awayError()
		}
		return a.servers, nil
	case <-ctx.Done():
		return nil, awayError()
	}
}

// Places is how many workers there are for a class.
type Places struct {
	Processes int // that serve it
	Places    int // operations they can run at once
}

// PlacesOf adds servers up to places by class, and counts the processes behind them all.
func PlacesOf(servers []ServerInfo) (places map[Class]Places, processes int) {
	places, seen := map[Class]Places{}, map[string]bool{}
	for _, s := range servers {
		p := places[s.Class]
		p.Processes++
		p.Places += s.Concurrency
		places[s.Class] = p
		seen[s.Host+" "+strconv.Itoa(s.PID)] = true
	}
	return places, len(seen)
}

// Facts are what an operator wants to know about the Redis server.
type Facts struct {
	Version string
	Memory  int64  // bytes in use
	Policy  string // what it does when memory runs short
}

// Facts asks the Redis server about itself. What it does not tell is left empty.
func (c *Client) Facts(ctx context.Context) (Facts, error) {
	var f Facts
	info, err := c.redis.Info(ctx, "server", "memory").Result()
	if err != nil {
		return f, fmt.Errorf("ask Redis about itself: %w", err)
	}
	for line := range strings.Lines(info) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), ":"); key {
		case "redis_version":
			f.Version = value
		case "used_memory":
			f.Memory, _ = strconv.ParseInt(value, 10, 64)
		case "maxmemory_policy":
			f.Policy = value
		}
	}
	return f, nil
}
