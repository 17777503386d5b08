package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"

	"outpost/api"
	"outpost/dashboard"
	"outpost/directory"
	"outpost/jobs"
	"outpost/mail"
	"outpost/outbox"
	"outpost/scheduler"
	"outpost/sso"
	"outpost/store"
	"outpost/worker"
	"outpost/workspace"
)

// role is what a process does. dev does everything.
type role struct {
	name      string
	api       bool
	worker    map[jobs.Class]int // how many operations of each class at once; nil for none
	scheduler bool
	embedded  *embeddedMode // dev
	// linger is how long the API goes on serving after it has said that it is not ready any more.
	linger time.Duration
}

// listenWith is where the operator chooses the address that the role serves on.
func (r role) listenWith() string {
	if r.embedded != nil {
		return "--listen or LISTEN_ADDR"
	}
	return "LISTEN_ADDR"
}

// embeddedMode is what dev brings along where nothing is configured.
type embeddedMode struct {
	data folder
	// up is called once everything runs.
	up func(context.Context, running) error
}

// running is what runs, for whoever is told.
type running struct {
	store     *store.Store
	directory *directory.Directory
	publicURL string
	metrics   string // URL of the METRICS_ADDR listener
}

// serve runs a role until ctx ends. Everything is made here, top to bottom, and stops in the reverse order: HTTP, then
// the workers, then the scheduler, then what they stand on.
func (p *program) serve(ctx context.Context, c config, r role) error {
	level := slog.LevelInfo
	if r.embedded != nil {
		level = slog.LevelWarn // requests and jobs would push the banner off the screen
	}
	log := c.logger(p.stderr, level)
	health := &health{}

	// Addresses first: one that is taken is the likeliest fault, and nothing has happened yet.
	metrics, err := listenMetrics(c, log)
	if err != nil {
		return err
	}
	defer metrics.Close()
	var public *site
	if r.api {
		if public, err = listen(c.listen(), r.listenWith()); err != nil {
			return err
		}
		defer public.Close()
	}
	databaseURL := c.DatabaseURL
	if r.embedded != nil {
		if databaseURL, err = r.embedded.prepare(&c, public.url()); err != nil {
			return err
		}
	}

	// What everything stands on.
	options := store.Options{}
	if r.api && r.worker == nil {
		options.StatementTimeout = 15 * time.Second
	}
	db, err := store.Open(ctx, databaseURL, options)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := checkDatabase(ctx, db, r.embedded != nil); err != nil {
		return err
	}
	health.database = db.Ping

	redisURL := c.RedisURL
	if r.embedded != nil && redisURL == "" {
		url, stop, err := startRedis(ctx)
		if err != nil {
			return err
		}
		defer stop()
		redisURL = url
	}
	var queue *jobs.Client
	if redisURL != "" {
		if queue, err = jobs.Connect(redisURL); err != nil {
			return err
		}
		defer queue.Close()
		plain := log // it becomes a narrower one further down
		defer background(ctx, func(ctx context.Context) { queue.Watch(ctx, plain) })()
		health.queue = queue
	}

	var sender mail.Sender
	var mailbox *mail.Mailbox
	if c.SMTPURL != "" {
		sender, err = mail.NewSMTP(c.SMTPURL)
	} else {
		mailbox, err = mail.OpenMailbox(r.embedded.data.mailbox())
		sender = mailbox
	}
	if err != nil {
		return err
	}
	defer sender.Close()

	// The product, from the bottom up.
	key, err := workspace.InvitationKey(string(c.SecretKey))
	if err != nil {
		return fmt.Errorf("derive the key of invitation links: %w", err)
	}
	actual := workspace.New(workspace.Invitations{Key: key, Hold: c.InvitationHold, Life: c.InvitationDays.duration()}, time.Now)
	gate, err := sso.New(db, string(c.SecretKey), time.Now)
	if err != nil {
		return fmt.Errorf("derive the key of sign-in links: %w", err)
	}
	operations := outbox.New(db, queue, log)
	defer background(ctx, operations.Run)()
	desired := directory.New(db, operations, log, time.Now)
	failed := make(chan error, 3) // one for each part that can

	if r.scheduler {
		clock := scheduler.New(db, operations, log, time.Now)
		clock.RemindAfter = c.ReminderDays.duration()
		defer background(ctx, clock.Run)()
	}
	if r.worker != nil {
		w := worker.New(worker.Config{
			Store: db, Outbox: operations, Workspace: actual, Gate: gate, Queue: queue, Sender: sender, From: c.from(),
			PublicURL: string(c.PublicURL), MailPace: c.mailPace(), Log: log, Now: time.Now,
		})
		defer background(ctx, func(ctx context.Context) {
			if err := w.Run(ctx, r.worker); err != nil {
				failed <- err
			}
		})()
	}
	if r.api {
		defer background(ctx, desired.Run)()
		watch := outbox.NewWatch(db, queue, log, time.Now)
		defer background(ctx, watch.Run)()
		pages, err := dashboard.New(dashboard.Config{
			Store: db, Outbox: operations, Directory: desired, Hands: workspace.NewHands(db, operations, actual), Gate: gate, Queue: queue, Watch: watch, PublicURL: string(c.PublicURL),
			MailFrom: c.from().Email, Operators: c.operators(), OwnersOperate: r.embedded != nil && len(c.OperatorEmails) == 0,
			TrustedProxies: c.trustedProxies(), Mailbox: mailbox, Version: release(), Log: log, Now: time.Now, Done: ctx.Done(),
		})
		if err != nil {
			return err
		}
		handler, err := api.New(api.Config{
			Directory: desired, Store: db, PublicURL: string(c.PublicURL), TrustedProxies: c.trustedProxies(), Log: log,
			RedisState: health.redis, Web: pages,
		})
		if err != nil {
			return err
		}
		public.serve(health.before(handler), log, failed)
		defer desired.Flush(context.WithoutCancel(ctx)) // of what is drained
		defer public.drain(ctx, r.linger)
	}

	figures, err := metricsHandler(health, db.Stats)
	if err != nil {
		return err
	}
	metrics.serve(figures, log, failed)

	log = log.With("role", r.name)
	if r.api {
		log.Info("serving", "listen_addr", public.listener.Addr().String(), "public_url", string(c.PublicURL))
	}
	log.Info("ready", "metrics_addr", metrics.listener.Addr().String())
	if r.embedded != nil {
		if err := r.embedded.up(ctx, running{store: db, directory: desired, publicURL: string(c.PublicURL), metrics: metrics.url()}); err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	health.stopping.Store(true)
	log.Info("stopping")
	return err
}

// checkDatabase makes sure that the database is one that a role may work on. The embedded mode brings it up to date.
func checkDatabase(ctx context.Context, db *store.Store, migrate bool) error {
	if migrate {
		if err := db.Migrate(ctx); err != nil {
			return err
		}
	}
	if err := db.CheckSchema(ctx); err != nil {
		return err
	}
	return db.CheckDurability(ctx)
}

// startRedis starts a Redis inside this process. Nobody else on the machine can use it: its password is made here.
func startRedis(ctx context.Context) (url string, stop func(), err error) {
	server, password := miniredis.NewMiniRedis(), rand.Text()
	server.RequireAuth(password)
	if err := server.Start(); err != nil {
		return "", nil, fmt.Errorf("start the Redis inside this process: %w", err)
	}
	// Its keys expire by hand only. ClockTTL would look at every key at every command.
	stopClock := background(ctx, func(ctx context.Context) {
		for tick := time.NewTicker(time.Second); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
				server.FastForward(time.Second)
			}
		}
	})
	return "redis://:" + password + "@" + server.Addr(), func() { stopClock(); server.Close() }, nil
}

// background runs fn beside the caller until stop is called, which waits for it to return. The end of ctx does not end
// it: the order of stopping does.
func background(ctx context.Context, fn func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { fn(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}
