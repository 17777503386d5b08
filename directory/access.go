package directory

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"hash/crc32"
	"strings"
	"time"

	"outpost/models"
	"outpost/outbox"
	"outpost/store"
)

// tokenPrefix lets secret scanners recognise a token: outp_scim_<connection id>_<secret and checksum>.
const tokenPrefix = "outp_scim_"

// overlap is how long an old token lives on after the first use of the one that replaces it.
const overlap = 24 * time.Hour

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newToken makes a token: 32 random characters and a checksum of six.
func newToken(connectionID string) string {
	secret := make([]byte, 0, 38)
	var b [1]byte
	for len(secret) < 32 {
		rand.Read(b[:])
		if b[0] < 248 { // the largest multiple of 62: no character is likelier than another
			secret = append(secret, base62[b[0]%62])
		}
	}
	sum := crc32.ChecksumIEEE(secret)
	for range 6 {
		secret = append(secret, base62[sum%62])
		sum /= 62
	}
	return tokenPrefix + connectionID + "_" + string(secret)
}

// Access is an authenticated request's standing.
type Access struct {
	WorkspaceID  string
	ConnectionID string
	Provider     models.Provider
	TokenID      string
	LastFour     string // of the token, for people

	door  store.Door // what a write requires
	hasty bool       // nothing has been checked in the database yet
	token string     // to check again with
}

// unknown is one and the same for a connection that does not exist, one of somebody else, and a wrong token.
var unknown = &models.Error{Code: models.Unknown, Detail: "the bearer token is missing, wrong or no longer valid: paste the connection's current token into your identity provider; a token is shown only once, so if it is lost, rotate it and paste the new one"}

// Authenticate checks a bearer token for a connection. Its errors are models.Unknown for anybody without a living
// token, and models.Denied, with what to do, for a plan without Directory Sync or a connection that is paused; then the
// Access tells who was denied.
func (d *Directory) Authenticate(ctx context.Context, connectionID, token string) (Access, error) {
	if !IsID(connectionID) || !strings.HasPrefix(token, tokenPrefix) {
		return Access{}, unknown
	}
	known, ok := d.known(connectionID)
	if ok {
		stamp, err := d.store.Stamp(ctx, connectionID)
		if err != nil {
			return Access{}, err
		}
		ok = stamp == known.Connection.Stamp
	}
	if ok {
		// A token that is not among those known may be newer than they are.
		if access, err := d.judge(known, token); !models.Is(err, models.Unknown) {
			return access, err
		}
	}
	fresh, err := d.store.Access(ctx, connectionID)
	if isNotFound(err) {
		return Access{}, unknown
	}
	if err != nil {
		return Access{}, err
	}
	d.mu.Lock()
	if len(d.doors) >= maxKnown {
		clear(d.doors)
	}
	d.doors[connectionID] = fresh
	d.mu.Unlock()
	return d.judge(fresh, token)
}

// Admit is Authenticate from memory, for the requests of a bulk assignment: CreateUser and Users check the Access it gives
// in the statement that does their work, so that whatever ends access still comes first. ok is false where memory does
// not say yes.
func (d *Directory) Admit(connectionID, token string) (access Access, ok bool) {
	known, ok := d.known(connectionID)
	if !ok {
		return access, false
	}
	access, err := d.judge(known, token)
	access.hasty = true
	return access, err == nil
}

// Confirm checks the token of a request that Admit let in and that did not reach the database: what it is told must not
// depend on a token that has ended.
func (d *Directory) Confirm(ctx context.Context, c Caller) error {
	if !c.Access.hasty {
		return nil
	}
	_, err := d.Authenticate(ctx, c.ConnectionID, c.Access.token)
	return err
}

// write is outbox.Write through the caller's door.
func (d *Directory) write(ctx context.Context, c Caller, change func(tx *store.Tx) ([]models.Operation, error)) error {
	return d.admitted(ctx, c, func(door store.Door) error {
		return d.outbox.Write(ctx, func(tx *store.Tx) ([]models.Operation, error) {
			tx.Require(door)
			return change(tx)
		})
	})
}

// admitted runs a piece of work through the caller's door. Where that has closed, the token is checked anew: if it is
// still good the work is done, else the caller learns what has become of it.
func (d *Directory) admitted(ctx context.Context, c Caller, work func(door store.Door) error) error {
	err := work(c.Access.door)
	for try := 0; errors.Is(err, store.ErrDoor) && try < 3; try++ {
		again, denied := d.Authenticate(ctx, c.ConnectionID, c.Access.token)
		if denied != nil {
			return denied
		}
		c.Access = again
		err = work(again.door)
	}
	return err
}

// maxKnown bounds the connections kept in memory.
const maxKnown = 10_000

// known is what was last read about a connection's access.
func (d *Directory) known(connectionID string) (store.Access, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, ok := d.doors[connectionID]
	return a, ok
}

// judge decides about a token by what is known of its connection.
func (d *Directory) judge(a store.Access, token string) (Access, error) {
	now := d.now()
	hash := sha256.Sum256([]byte(token))
	var match *models.Token
	for i := range a.Tokens {
		if subtle.ConstantTimeCompare(hash[:], a.Tokens[i].Hash) == 1 && a.Tokens[i].Living(now) {
			match = &a.Tokens[i]
		}
	}
	if match == nil || a.Connection.Status == models.ConnectionDeleted {
		return Access{}, unknown
	}
	access := Access{
		WorkspaceID: a.Connection.WorkspaceID, ConnectionID: a.Connection.ID, Provider: a.Connection.Provider, TokenID: match.ID, LastFour: match.LastFour,
		door: store.Door{ConnectionID: a.Connection.ID, Stamp: a.Connection.Stamp}, token: token,
	}
	if !a.Plan.DirectorySync() {
		return access, ErrPlan
	}
	if a.Connection.Status == models.ConnectionPaused {
		return access, ErrPaused
	}
	return access, nil
}

// Why a request with a living token is denied.
var (
	ErrPlan   = &models.Error{Code: models.Denied, Detail: "Directory Sync is part of the Enterprise plan and this workspace is not on it: upgrade the workspace, then try again"}
	ErrPaused = &models.Error{Code: models.Denied, Detail: "this connection is paused: resume it in Settings > Security > Directory Sync, then retry the failed tasks in your identity provider"}
)

// IssuedToken is a token in clear: it is shown once and kept nowhere.
type IssuedToken struct {
	Connection models.Connection
	Token      string
}

// CreateConnection joins an identity provider to a workspace on the Enterprise plan. Every member is mirrored in the
// same transaction, so that the provider finds who is there already.
func (d *Directory) CreateConnection(ctx context.Context, w models.Workspace, p models.Provider, actor string) (IssuedToken, error) {
	if !p.Valid() {
		return IssuedToken{}, &models.Error{Code: models.Invalid, Detail: "there is no provider '" + string(p) + "': choose " + models.ProviderChoice()}
	}
	if !w.Plan.DirectorySync() {
		return IssuedToken{}, &models.Error{Code: models.Denied, Detail: "Directory Sync is part of the Enterprise plan: upgrade workspace " + w.Slug + " first ('outpost workspace set-plan " + w.Slug + " enterprise')"}
	}
	now := d.now()
	c := models.Connection{ID: outbox.ID(), WorkspaceID: w.ID, Provider: p, Status: models.ConnectionActive, CreatedAt: now, CreatedBy: actor, SendInvitations: true}
	issued := IssuedToken{Connection: c, Token: newToken(c.ID)}
	err := d.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.CreateConnection(c); err != nil {
			return err
		}
		if err := d.mirrorAll(tx, c, now); err != nil {
			return err
		}
		token := d.tokenRow(issued, actor, now)
		tx.Add(&token, Caller{WorkspaceID: w.ID, ConnectionID: c.ID, Actor: actor, Method: "create"}.audit(now, "Connection", c.ID, 201, string(p), nil))
		return nil
	})
	return issued, err
}

func (d *Directory) tokenRow(t IssuedToken, actor string, now time.Time) models.Token {
	hash := sha256.Sum256([]byte(t.Token))
	return models.Token{ID: outbox.ID(), ConnectionID: t.Connection.ID, Hash: hash[:], LastFour: t.Token[len(t.Token)-4:], CreatedAt: now, CreatedBy: actor}
}

// RotateToken issues a new token. The one before it lives on until a day after the new one's first use, or ends at once
// when atOnce is set; an older one ends now.
func (d *Directory) RotateToken(ctx context.Context, c models.Connection, atOnce bool, actor string) (IssuedToken, error) {
	now := d.now()
	issued := IssuedToken{Connection: c, Token: newToken(c.ID)}
	err := d.store.Write(ctx, func(tx *store.Tx) error {
		fresh, err := tx.LockConnection(c.ID)
		if err != nil {
			return err
		}
		if fresh.Status == models.ConnectionDeleted {
			return &models.Error{Code: models.NotFound, Detail: "the connection " + c.ID + " is deleted"}
		}
		living, err := tx.LivingTokens(c.ID, now)
		if err != nil {
			return err
		}
		for i, t := range living {
			if i > 0 || atOnce {
				if err := tx.EndToken(t, now); err != nil {
					return err
				}
			}
		}
		token := d.tokenRow(issued, actor, now)
		tx.Add(&token, Caller{WorkspaceID: c.WorkspaceID, ConnectionID: c.ID, Actor: actor, Method: "rotate"}.audit(now, "Connection", c.ID, 200, "", nil))
		return nil
	})
	return issued, err
}

// EndToken refuses a token of a connection from now on.
func (d *Directory) EndToken(ctx context.Context, c models.Connection, tokenID, actor string) error {
	now := d.now()
	return d.store.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.LockConnection(c.ID); err != nil {
			return err
		}
		living, err := tx.LivingTokens(c.ID, now)
		if err != nil {
			return err
		}
		for _, t := range living {
			if t.ID != tokenID {
				continue
			}
			tx.Add(Caller{WorkspaceID: c.WorkspaceID, ConnectionID: c.ID, Actor: actor, Method: "end"}.audit(now, "Connection", c.ID, 200, "token …"+t.LastFour, nil))
			return tx.EndToken(t, now)
		}
		return &models.Error{Code: models.NotFound, Detail: "the token has ended already, or is not one of this connection"}
	})
}

// SetConnectionStatus pauses, resumes or deletes a connection. Deleting ends its tokens, its single sign-on and the
// sessions begun by that at once; what was acknowledged before is still carried out, the people it made stay members, and are managed by hand from then on.
func (d *Directory) SetConnectionStatus(ctx context.Context, c models.Connection, status models.ConnectionStatus, actor string) error {
	now := d.now()
	return d.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetConnectionStatus(c.ID, status); err != nil {
			return err
		}
		if status == models.ConnectionDeleted {
			if err := tx.DropSAML(c.ID, now); err != nil {
				return err
			}
			living, err := tx.LivingTokens(c.ID, now)
			if err != nil {
				return err
			}
			for _, t := range living {
				if err := tx.EndToken(t, now); err != nil {
					return err
				}
			}
		}
		tx.Add(Caller{WorkspaceID: c.WorkspaceID, ConnectionID: c.ID, Actor: actor, Method: string(status)}.audit(now, "Connection", c.ID, 200, "", nil))
		return nil
	})
}

// IsID reports whether s has the form of our ids, so that it may be asked for.
func IsID(s string) bool { return outbox.IsID(s) }
