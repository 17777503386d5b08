package leaving

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// dump is every value in the database: texts as they are, bytes as they are, in hex and in base64.
func (s *site) dump(t *testing.T) []byte {
	t.Helper()
	list, whole := "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'", true
	if s.Store.Embedded() {
		list, whole = "SELECT name FROM sqlite_master WHERE type = 'table'", false
	}
	var tables []string
	must(t, s.rows(list, func(name string) { tables = append(tables, name) }))
	if len(tables) < 15 {
		t.Fatalf("tables %v", tables)
	}
	var b bytes.Buffer
	for _, table := range tables {
		if whole {
			must(t, s.rows(`SELECT x::text FROM "`+table+`" x`, func(row string) { fmt.Fprintln(&b, row) }))
		}
		must(t, func() error {
			rows, err := s.db.Query(`SELECT * FROM "` + table + `"`)
			if err != nil {
				return err
			}
			defer rows.Close()
			columns, err := rows.Columns()
			if err != nil {
				return err
			}
			for rows.Next() {
				values, at := make([]any, len(columns)), make([]any, len(columns))
				for i := range values {
					at[i] = &values[i]
				}
				if err := rows.Scan(at...); err != nil {
					return err
				}
				for _, v := range values {
					if raw, ok := v.([]byte); ok {
						fmt.Fprintf(&b, "%s %x %s\n", raw, raw, base64.StdEncoding.EncodeToString(raw))
						continue
					}
					fmt.Fprintln(&b, v)
				}
			}
			return rows.Err()
		}())
	}
	return b.Bytes()
}

// files are the bytes of the database's files, where they are ours to read.
func (s *site) files(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	path, embedded := strings.CutPrefix(s.databaseURL, "sqlite:")
	if !embedded {
		return all
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		b, err := os.ReadFile(path + end)
		must(t, err)
		all["the file outpost.db"+end] = b
	}
	return all
}

// monitor records every command that Redis gets from now on.
func (s *site) monitor(t *testing.T) (told func() []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", s.redis.Addr())
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = io.WriteString(conn, "MONITOR\r\n")
	must(t, err)
	r := bufio.NewReader(conn)
	if line, err := r.ReadString('\n'); err != nil || line != "+OK\r\n" {
		t.Fatalf("monitor Redis: %q %v", line, err)
	}
	all := &tape{}
	go func() { _, _ = io.Copy(all, r) }() // until the connection is closed
	return all.bytes
}

// dumpRedis is every key with its value.
func (s *site) dumpRedis(t *testing.T) []byte {
	t.Helper()
	ctx, c := context.Background(), redis.NewClient(&redis.Options{Addr: s.redis.Addr()})
	defer c.Close()
	var b bytes.Buffer
	keys := c.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		key := keys.Val()
		kind, err := c.Type(ctx, key).Result()
		must(t, err)
		var value any
		switch kind {
		case "string":
			value = c.Get(ctx, key).Val()
		case "list":
			value = c.LRange(ctx, key, 0, -1).Val()
		case "set":
			value = c.SMembers(ctx, key).Val()
		case "zset":
			value = c.ZRangeWithScores(ctx, key, 0, -1).Val()
		case "hash":
			value = c.HGetAll(ctx, key).Val()
		case "none": // gone meanwhile
		default:
			t.Errorf("the key %s is a %s, which is not looked into", key, kind)
		}
		fmt.Fprintln(&b, key, value)
	}
	must(t, keys.Err())
	return b.Bytes()
}
