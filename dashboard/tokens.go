package dashboard

import (
	"fmt"
	"html/template"
	"net/http"

	"outpost/models"
)

// tokenRow is a token as people see it.
type tokenRow struct {
	models.Token
	Shown             string
	Made, First, Last moment
	State             template.HTML
	Newest            bool
}

// tokenRows shows the tokens that live, and the last one that ended; advice tells what to do about two of them.
func (r *request) tokenRows(c models.Connection) (rows []tokenRow, advice string, err error) {
	all, err := r.d.Store.Tokens(r.ctx, c.ID)
	if err != nil {
		return nil, "", err
	}
	for i, t := range all {
		if !t.Living(r.now) {
			continue
		}
		row := tokenRow{Token: t, Shown: shownToken(t), Made: r.at(t.CreatedAt), First: r.atPointer(t.FirstUsedAt), Last: r.atPointer(t.LastUsedAt), Newest: i == 0}
		switch {
		case t.EndsAt != nil:
			row.State = mark("superseded", "Ends in "+dur(t.EndsAt.Sub(r.now)))
		case t.FirstUsedAt == nil:
			row.State = mark("pending", "Not used yet")
		default:
			row.State = mark("active", "In use")
		}
		rows = append(rows, row)
	}
	if len(rows) == 2 {
		fresh, old, title := rows[0], rows[1], c.Provider.Title()
		switch {
		case fresh.FirstUsedAt == nil:
			advice = title + " still uses the old token. Paste the new one there; the old one ends 24 hours after the new one is first used."
		case old.LastUsedAt != nil && old.LastUsedAt.After(*fresh.FirstUsedAt):
			advice = title + " uses both tokens: the old one last " + old.Last.Format("15:04:05") + ". Replace it everywhere before you end it."
		default:
			advice = fmt.Sprintf("%s has moved to the new token: %s with it, none with the old one since. You can end the old one safely.", title, plural(int(fresh.Uses), "request", "requests"))
		}
	}
	return rows, advice, nil
}

// newToken rotates the token and shows the new one, this once.
func newToken(r *request) error {
	c, err := r.connection()
	if err != nil {
		return err
	}
	if err := r.fresh(connectionPath(c.ID)); err != nil {
		return err
	}
	issued, err := r.d.Directory.RotateToken(r.ctx, c, false, r.member().Name)
	if err != nil {
		return err
	}
	return r.connectionPage(http.StatusCreated, c, connectionPage{NewToken: issued.Token})
}

// endToken refuses a token from now on.
func endToken(r *request) error {
	c, err := r.connection()
	if err != nil {
		return err
	}
	if err := r.d.Directory.EndToken(r.ctx, c, r.PathValue("token"), r.member().Name); err != nil {
		return err
	}
	return r.seeOther(connectionPath(c.ID)+"#tokens", "The token has ended. Requests with it are refused from now on.")
}
