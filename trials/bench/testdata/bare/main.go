// Command bare is what the product is measured against: the least that a durable SCIM server can do with Gin, pgx and
// one Asynq task for each write. It checks nothing, records nothing and trusts every request; its answers have just what
// the benchmark reads.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"runtime"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const schema = `
CREATE TABLE users (
	id        uuid PRIMARY KEY,
	user_name text NOT NULL UNIQUE,
	active    boolean NOT NULL,
	resource  jsonb NOT NULL
);
CREATE TABLE groups (
	id           uuid PRIMARY KEY,
	display_name text NOT NULL UNIQUE
);
CREATE TABLE members (
	group_id uuid NOT NULL REFERENCES groups (id),
	user_id  uuid NOT NULL REFERENCES users (id),
	PRIMARY KEY (group_id, user_id)
);
CREATE INDEX members_user ON members (user_id);`

// bare is the server.
type bare struct {
	db    *pgxpool.Pool
	queue *asynq.Client
}

func main() {
	database := flag.String("database", "", "`URL` of an empty Postgres database")
	redis := flag.String("redis", "", "`URL` of the Redis for the tasks")
	listen := flag.String("listen", "127.0.0.1:8089", "`address` to listen on")
	token := flag.String("token", "", "bearer `token` to accept")
	flag.Parse()
	log.Fatal(run(context.Background(), *database, *redis, *listen, *token))
}

func run(ctx context.Context, database, redis, listen, token string) error {
	config, err := pgxpool.ParseConfig(database)
	if err != nil {
		return fmt.Errorf("read the database's URL: %w", err)
	}
	config.MaxConns = int32(4*runtime.NumCPU() + 12) // as the product
	db, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	defer db.Close()
	if _, err := db.Exec(ctx, schema); err != nil {
		return fmt.Errorf("make the tables: %w", err)
	}
	option, err := asynq.ParseRedisURI(redis)
	if err != nil {
		return fmt.Errorf("read the URL of Redis: %w", err)
	}
	b := &bare{db: db, queue: asynq.NewClient(option)}
	return http.ListenAndServe(listen, b.routes("Bearer "+token))
}

func (b *bare) routes(authorization string) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.GET("/readyz", func(c *gin.Context) { c.Status(http.StatusOK) })
	scim := engine.Group("/scim/v2", func(c *gin.Context) {
		if c.GetHeader("Authorization") != authorization {
			c.AbortWithStatus(http.StatusUnauthorized)
		}
	})
	scim.GET("/Users", answer(b.listUsers))
	scim.POST("/Users", answer(b.createUser))
	scim.PATCH("/Users/:id", answer(b.patchUser))
	scim.POST("/Groups", answer(b.createGroup))
	scim.GET("/Groups/:id", answer(b.getGroup))
	scim.PATCH("/Groups/:id", answer(b.patchGroup))
	return engine
}

func answer(handle func(*gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := handle(c); err != nil {
			c.JSON(http.StatusInternalServerError, gin.H{"detail": err.Error()})
		}
	}
}

// enqueue is the one task for a write.
func (b *bare) enqueue(c *gin.Context, kind, id string) error {
	_, err := b.queue.EnqueueContext(c, asynq.NewTask(kind, []byte(id)), asynq.Queue("writes"))
	return err
}

func (b *bare) listUsers(c *gin.Context) error {
	filter, all := c.Query("filter"), []gin.H{}
	if filter == "" {
		var total int
		if err := b.db.QueryRow(c, "SELECT count(*) FROM users").Scan(&total); err != nil {
			return err
		}
		c.JSON(http.StatusOK, list(total, all))
		return nil
	}
	name := strings.TrimSuffix(strings.TrimPrefix(filter, `userName eq "`), `"`)
	rows, err := b.db.Query(c, "SELECT id::text, active, resource FROM users WHERE user_name = $1", name)
	if err != nil {
		return err
	}
	var (
		id       string
		active   bool
		resource []byte
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &active, &resource}, func() error {
		u, err := user(id, active, resource)
		all = append(all, u)
		return err
	})
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, list(len(all), all))
	return nil
}

func list(total int, resources []gin.H) gin.H {
	return gin.H{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"}, "totalResults": total, "Resources": resources}
}

func user(id string, active bool, resource []byte) (gin.H, error) {
	var u gin.H
	err := json.Unmarshal(resource, &u)
	if err == nil {
		u["id"], u["active"], u["meta"] = id, active, gin.H{"resourceType": "User", "location": "/scim/v2/Users/" + id}
	}
	return u, err
}

func (b *bare) createUser(c *gin.Context) error {
	resource, err := c.GetRawData()
	if err != nil {
		return err
	}
	id := uuid.Must(uuid.NewV7()).String()
	u, err := user(id, true, resource)
	if err != nil {
		return err
	}
	if _, err := b.db.Exec(c, "INSERT INTO users (id, user_name, active, resource) VALUES ($1, $2, true, $3)", id, u["userName"], resource); err != nil {
		return err
	}
	if err := b.enqueue(c, "user:created", id); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, u)
	return nil
}

// patch is a PATCH as far as it is understood here.
type patch struct {
	Operations []struct {
		Op    string
		Path  string
		Value json.RawMessage
	}
}

func (b *bare) patchUser(c *gin.Context) error {
	var p patch
	if err := c.BindJSON(&p); err != nil {
		return err
	}
	if len(p.Operations) != 1 {
		return errors.New("one operation is understood")
	}
	var change struct{ Active bool }
	if err := json.Unmarshal(p.Operations[0].Value, &change); err != nil {
		return err
	}
	id := c.Param("id")
	var resource []byte
	if err := b.db.QueryRow(c, "UPDATE users SET active = $2 WHERE id = $1 RETURNING resource", id, change.Active).Scan(&resource); err != nil {
		return err
	}
	if err := b.enqueue(c, "user:changed", id); err != nil {
		return err
	}
	u, err := user(id, change.Active, resource)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, u)
	return nil
}

func (b *bare) createGroup(c *gin.Context) error {
	var g struct{ DisplayName string }
	if err := c.BindJSON(&g); err != nil {
		return err
	}
	id := uuid.Must(uuid.NewV7()).String()
	if _, err := b.db.Exec(c, "INSERT INTO groups (id, display_name) VALUES ($1, $2)", id, g.DisplayName); err != nil {
		return err
	}
	if err := b.enqueue(c, "group:created", id); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, gin.H{"id": id, "displayName": g.DisplayName})
	return nil
}

// member is one entry of a group's members.
type member struct {
	Value   string `json:"value"`
	Display string `json:"display"`
}

func (b *bare) getGroup(c *gin.Context) error {
	id := c.Param("id")
	rows, err := b.db.Query(c, "SELECT u.id::text, u.user_name FROM members m JOIN users u ON u.id = m.user_id WHERE m.group_id = $1", id)
	if err != nil {
		return err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[member])
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"id": id, "members": all})
	return nil
}

func (b *bare) patchGroup(c *gin.Context) error {
	var p patch
	if err := c.BindJSON(&p); err != nil {
		return err
	}
	id := c.Param("id")
	for _, o := range p.Operations {
		var err error
		if o.Op == "remove" {
			value := strings.TrimSuffix(strings.TrimPrefix(o.Path, `members[value eq "`), `"]`)
			_, err = b.db.Exec(c, "DELETE FROM members WHERE group_id = $1 AND user_id = $2", id, value)
		} else {
			err = b.add(c, id, o.Value)
		}
		if err != nil {
			return err
		}
	}
	if err := b.enqueue(c, "group:changed", id); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

func (b *bare) add(c *gin.Context, group string, value json.RawMessage) error {
	var members []member
	if err := json.Unmarshal(value, &members); err != nil {
		return err
	}
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.Value
	}
	_, err := b.db.Exec(c, "INSERT INTO members (group_id, user_id) SELECT $1, unnest($2::uuid[]) ON CONFLICT DO NOTHING", group, ids)
	return err
}
