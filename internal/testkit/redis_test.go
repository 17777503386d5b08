package testkit

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func redisClient(t testing.TB, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	options.MaxRetries = -1
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func set(t testing.TB, client *redis.Client, key string, ttl time.Duration) {
	t.Helper()
	if err := client.Set(t.Context(), key, "1", ttl).Err(); err != nil {
		t.Fatal(err)
	}
}

func count(t testing.TB, client *redis.Client) int64 {
	t.Helper()
	size, err := client.DBSize(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	return size
}

func TestEveryRedisIsOnesOwn(t *testing.T) {
	t.Parallel()
	one, two := redisClient(t, Redis(t)), redisClient(t, Redis(t))
	set(t, one, "a", 0)
	if count(t, two) != 0 {
		t.Error("the second Redis is not empty")
	}
	policy, err := one.ConfigGet(t.Context(), "maxmemory-policy").Result()
	if err != nil || policy["maxmemory-policy"] != "noeviction" {
		t.Errorf("policy %v, %v", policy, err)
	}
}

func TestKilledRedisForgetsUnlessToldToKeep(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want int64
	}{
		"forgets": {nil, 0},
		"keeps":   {[]string{"--appendonly", "yes", "--appendfsync", "always"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := NewRedis(t, test.args...)
			client := redisClient(t, server.URL())
			set(t, client, "a", 0)
			server.Kill()
			if err := client.Ping(t.Context()).Err(); err == nil {
				t.Fatal("a killed Redis answers")
			}
			server.Restart()
			if got := count(t, client); got != test.want {
				t.Errorf("%d keys, want %d", got, test.want)
			}
			set(t, client, "b", 0)
			server.Flush()
			if got := count(t, client); got != 0 {
				t.Errorf("%d keys after Flush", got)
			}
		})
	}
}

func TestPausedRedisIsSilentUntilResumed(t *testing.T) {
	t.Parallel()
	server := NewRedis(t)
	client := redisClient(t, server.URL())
	set(t, client, "a", 0)
	server.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := redisClient(t, server.URL()).Ping(ctx).Err(); err == nil {
		t.Error("a paused Redis answers")
	}
	server.Resume()
	if got := count(t, client); got != 1 {
		t.Errorf("%d keys", got)
	}
	server.Pause()
	server.Restart() // a paused one can be ended
	if got := count(t, redisClient(t, server.URL())); got != 0 {
		t.Errorf("%d keys", got)
	}
}

func TestMiniRedisKeysExpire(t *testing.T) {
	t.Parallel()
	client := redisClient(t, MiniRedis(t))
	set(t, client, "short", 50*time.Millisecond)
	set(t, client, "long", time.Hour)
	Eventually(t, 10*time.Second, "the short key to expire", func() bool { return count(t, client) == 1 })
}

func BenchmarkNewRedis(b *testing.B) {
	for b.Loop() {
		NewRedis(b)
	}
}
