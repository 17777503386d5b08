// Package sso is how people get in: sign-in links, SAML 2.0 and sessions.
// It never decides what a signed-in person may do; that is the member's role, read anew at each request.
package sso

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"

	"github.com/google/uuid"

	"outpost/models"
	"outpost/store"
)

// Gate lets people in.
type Gate struct {
	store   *store.Store
	key     []byte // of the tokens in links
	sealKey []byte // of what is sealed
	bare    bool   // there is no secret to seal with
	now     func() time.Time
}

// LinkLife is how long a sign-in link is good.
const LinkLife = 15 * time.Minute

// New makes a Gate. The tokens of its links are derived from the installation's secret; now is
// the clock. Without a secret it makes no links that last and keeps no keys.
func New(s *store.Store, secret string, now func() time.Time) (*Gate, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "outpost sign-in links", 32)
	if err != nil {
		return nil, err
	}
	sealKey, err := hkdf.Key(sha256.New, []byte(secret), nil, "outpost saml keys", 32)
	if err != nil {
		return nil, err
	}
	return &Gate{store: s, key: key, sealKey: sealKey, bare: secret == "", now: now}, nil
}

// Hash is what a secret of ours is found by: the secret itself is not stored.
func Hash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// Secret makes a 256-bit secret for a cookie.
func Secret() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Token is the secret in a link. It is the same each time it is asked for, and stored nowhere.
func (g *Gate) Token(linkID string) string {
	mac := hmac.New(sha256.New, g.key)
	mac.Write([]byte(linkID))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Ask is what somebody who wants to sign in says.
type Ask struct {
	EmailKey string         // folded
	Member   *models.Member // nil where the address is nobody's: then the link leads nowhere
	Browser  string         // the secret of the asking browser's cookie, "" for a link that any browser may use
	Next     string         // the page to go on to, "" for the first one
	IP       string
}

// NewLink makes a link, to be written by the caller.
func (g *Gate) NewLink(a Ask) models.SignInLink {
	now := g.now()
	l := models.SignInLink{ID: uuid.Must(uuid.NewV7()).String(), EmailKey: a.EmailKey, Next: a.Next, IP: a.IP, CreatedAt: now, ExpiresAt: now.Add(LinkLife)}
	l.TokenHash = Hash(g.Token(l.ID))
	if a.Member != nil {
		l.MemberID, l.Epoch = &a.Member.ID, a.Member.SessionEpoch
	}
	if a.Browser != "" {
		l.BrowserHash = Hash(a.Browser)
	}
	return l
}

// How often links may be asked for in LinkLife.
const (
	maxForAddress = 5
	maxFromIP     = 30
)

// Limit fails with Denied when the address, or the place it is asked from, has had enough links for now. It does so for
// addresses that are nobody's too.
func (g *Gate) Limit(ctx context.Context, emailKey, ip string) error {
	forAddress, fromIP, err := g.store.SignInsAsked(ctx, emailKey, ip, g.now().Add(-LinkLife))
	if err != nil {
		return err
	}
	if forAddress >= maxForAddress || fromIP >= maxFromIP {
		return &models.Error{Code: models.Denied, Detail: "too many sign-in links were asked for: wait 15 minutes, or use the newest mail"}
	}
	return nil
}

// The ways in which a link can be no good. ErrRequired is that the workspace requires single sign-on.
var (
	errUnknownLink = &models.Error{Code: models.NotFound, Detail: "this sign-in link is not one of ours, or it is cut off: copy the whole link from the mail, or ask for a new one"}
	errUsedLink    = &models.Error{Code: models.Stale, Detail: "this sign-in link was used already: each works once; ask for a new one"}
	errOldLink     = &models.Error{Code: models.Stale, Detail: "this sign-in link has expired: each works for 15 minutes; ask for a new one"}
	ErrRequired    = &models.Error{Code: models.Denied, Detail: "this workspace requires single sign-on: sign in that way"}
	errNoAccess    = &models.Error{Code: models.Denied, Detail: "there is no access to the workspace any more: ask one of its owners"}
	errEndedLink   = &models.Error{Code: models.Stale, Detail: "this sign-in link ended when its person was signed out everywhere: ask for a new one"}
	errMoved       = &models.Error{Code: models.Denied, Detail: "this sign-in link went to an old address: ask for one with the address of today"}
)

// Link finds the link of a token that is still good. sameBrowser tells whether browser, a cookie's secret, is the one that
// asked for it; where it is not, the person has to give the address as well.
func (g *Gate) Link(ctx context.Context, token, browser string) (l models.SignInLink, sameBrowser bool, err error) {
	l, err = g.store.SignInLink(ctx, Hash(token))
	switch {
	case models.Is(err, models.NotFound):
		return l, false, errUnknownLink
	case err != nil:
		return l, false, err
	case l.UsedAt != nil:
		return l, false, errUsedLink
	case !g.now().Before(l.ExpiresAt):
		return l, false, errOldLink
	case l.MemberID == nil:
		return l, false, errUnknownLink
	}
	return l, len(l.BrowserHash) == 0 || subtle.ConstantTimeCompare(l.BrowserHash, Hash(browser)) == 1, nil
}

// Origin is where a session comes from.
type Origin struct{ IP, UserAgent string }

// Enter uses up a link inside the caller's transaction and begins a session, and ends the one that the browser had before,
// if any: who only proves again who they are has been signed in since that began. It returns the session and the secret
// for its cookie.
func (g *Gate) Enter(tx *store.Tx, l models.SignInLink, from Origin, before models.Session) (models.Session, models.Member, string, error) {
	now := g.now()
	if err := tx.UseSignInLink(l.ID, now); err != nil {
		if models.Is(err, models.Stale) {
			err = errUsedLink
		}
		return models.Session{}, models.Member{}, "", err
	}
	m, err := tx.AnyMember(*l.MemberID)
	if err != nil {
		return models.Session{}, m, "", err
	}
	w, err := tx.WorkspaceByID(m.WorkspaceID)
	if err != nil {
		return models.Session{}, m, "", err
	}
	if w.RequiresSSO(m) {
		return models.Session{}, m, "", ErrRequired
	}
	if m.Status != models.MemberActive {
		return models.Session{}, m, "", errNoAccess
	}
	if m.EmailKey != l.EmailKey {
		return models.Session{}, m, "", errMoved
	}
	if m.SessionEpoch != l.Epoch {
		return models.Session{}, m, "", errEndedLink
	}
	s, secret := Begin(m, from, now, now)
	if before.ID != "" {
		if err := takePlace(tx, &s, before, now); err != nil {
			return s, m, "", err
		}
	}
	tx.Add(&s)
	return s, m, secret, nil
}

// takePlace ends the session that a browser had before s: who only proves again who they are has been signed in since that
// began.
func takePlace(tx *store.Tx, s *models.Session, before models.Session, now time.Time) error {
	if before.MemberID == s.MemberID {
		s.CreatedAt = before.CreatedAt
	}
	return tx.EndSession(before.ID, now)
}

// Switch begins, inside the caller's transaction, a session of another member whom the same person is, in place of the one
// that before is. m was read before the transaction: a sign-out that came since has ended both. It returns the secret for
// the cookie, and fails with Unknown when the session has ended meanwhile, and with ErrRequired, the session going on, where
// the other workspace requires single sign-on.
func (g *Gate) Switch(tx *store.Tx, before models.Session, m models.Member, from Origin) (secret string, err error) {
	now := g.now()
	w, err := tx.WorkspaceByID(m.WorkspaceID)
	if err == nil && w.RequiresSSO(m) {
		err = ErrRequired
	}
	if err != nil {
		return "", err
	}
	err = tx.LeaveSession(before.ID, now)
	if models.Is(err, models.Stale) {
		return "", errSignIn
	}
	if err != nil {
		return "", err
	}
	s, secret := Begin(m, from, before.ProvedAt, now)
	s.CreatedAt = before.CreatedAt // no longer life by going to and fro
	tx.Add(&s)
	return secret, nil
}

// Begin makes a session of a member, to be written by the caller. proved is when they last proved who they are.
func Begin(m models.Member, from Origin, proved, now time.Time) (models.Session, string) {
	secret := Secret()
	return models.Session{
		ID: uuid.Must(uuid.NewV7()).String(), WorkspaceID: m.WorkspaceID, MemberID: m.ID, TokenHash: Hash(secret), Method: models.MethodLink, Role: m.Role, Epoch: m.SessionEpoch,
		IP: from.IP, UserAgent: from.UserAgent, CreatedAt: now, SeenAt: now, ProvedAt: proved,
	}, secret
}

// Visit tells who the holder of a session cookie is. It fails with Unknown for everybody who has to sign in.
func (g *Gate) Visit(ctx context.Context, cookie string) (store.Visit, error) {
	if len(cookie) != 43 {
		return store.Visit{}, errSignIn
	}
	v, err := g.store.Visit(ctx, Hash(cookie))
	if models.Is(err, models.NotFound) || err == nil && !g.Counts(v) {
		return store.Visit{}, errSignIn
	}
	if err != nil {
		return v, err
	}
	if now := g.now(); now.Sub(v.Session.SeenAt) > time.Minute {
		if err := g.store.Write(ctx, func(tx *store.Tx) error { return tx.SessionSeen(v.Session.ID, now) }); err != nil {
			return v, err
		}
	}
	return v, nil
}

// Still tells, of each visit that was one a moment ago, whether it still is: the session good, its cookie the same, and
// its holder of the same role. It does not count as a click.
func (g *Gate) Still(ctx context.Context, visits []store.Visit) ([]bool, error) {
	ids := make([]string, len(visits))
	for i, v := range visits {
		ids[i] = v.Session.ID
	}
	holders, err := g.store.SessionHolders(ctx, ids)
	if err != nil {
		return nil, err
	}
	of := make(map[string]store.Visit, len(holders))
	for _, h := range holders {
		of[h.Session.ID] = h
	}
	still := make([]bool, len(visits))
	for i, v := range visits {
		h, ok := of[v.Session.ID]
		still[i] = ok && g.Counts(h) && h.Member.Role == v.Member.Role && bytes.Equal(h.Session.TokenHash, v.Session.TokenHash)
	}
	return still, nil
}

// Counts reports whether a session lets its holder in now, by what v knows of both.
func (g *Gate) Counts(v store.Visit) bool { return v.Session.Living(v.Member, v.Workspace, g.now()) }

var errSignIn = &models.Error{Code: models.Unknown, Detail: "sign in to go on"}

// PrintedLink makes a link for a member that no browser asked for, to be written by the caller, and its token: for
// whoever has the installation's own terminal.
func PrintedLink(m models.Member, now time.Time) (models.SignInLink, string) {
	token := Secret()
	return models.SignInLink{
		ID: uuid.Must(uuid.NewV7()).String(), TokenHash: Hash(token), EmailKey: m.EmailKey, MemberID: &m.ID, Epoch: m.SessionEpoch, CreatedAt: now, ExpiresAt: now.Add(LinkLife),
	}, token
}
