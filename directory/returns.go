package directory

import (
	"context"
	"strconv"
	"time"

	"outpost/models"
	"outpost/scim"
	"outpost/store"
)

// errGone says that whoever had the name has gone since.
var errGone = &models.Error{Code: models.Unavailable, Detail: "the user with that name changed meanwhile: try again"}

// bringBack lets a POST take over who is there under its userName or externalId, or explains why it cannot.
func (d *Directory) bringBack(ctx context.Context, c Caller, in *scim.User, wanted models.User) (u models.User, err error) {
	now := d.now()
	err = d.write(ctx, c, func(tx *store.Tx) ([]models.Operation, error) {
		old, err := d.before(tx, c, wanted)
		switch {
		case isNotFound(err) && d.taken(tx, c, wanted):
			return nil, errGone
		case isNotFound(err): // nobody, or a namesake of who is gone
			u = wanted
			return d.addUser(tx, c, wanted, now)
		case err != nil:
			return nil, err
		}
		if err := returns(tx, old, now); err != nil {
			return nil, err
		}
		next := old
		next.Active, next.RemovedAt = wanted.Active, nil
		fill(&next, in)
		ops, err := d.save(tx, c, old, &next, now, 201)
		u = next
		return ops, err
	})
	return u, d.explainConflict(ctx, c, wanted, err)
}

// returns prepares a locked person for their return. Who was deleted is in no group: one that was changed while they were
// being deleted may name them still.
func returns(tx *store.Tx, old models.User, now time.Time) error {
	if old.RemovedAt == nil {
		return nil
	}
	return tx.LeaveGroups(old.ID, now)
}

// before finds and locks who is to come back as wanted: who has the externalId, living or deleted, unless a living person has
// the userName; else who has the userName, and, for a name may be given to somebody else, the same address. Who is active already, or somebody else, is a
// uniqueness error; nobody is NotFound.
func (d *Directory) before(tx *store.Tx, c Caller, wanted models.User) (old models.User, err error) {
	if wanted.ExternalID != nil {
		old, err = tx.LockUserByExternalID(c.ConnectionID, *wanted.ExternalID)
		switch {
		case err == nil && (old.Active || !wanted.Active):
			return old, scim.Uniqueness("externalId %q already belongs to %s: look that user up and update it instead of creating it, or give one of the two another externalId", *wanted.ExternalID, whois(old))
		case !isNotFound(err):
			return old, err
		}
	}
	old, err = tx.LockUserByName(c.ConnectionID, wanted.UserNameKey)
	if isNotFound(err) && wanted.ExternalID != nil {
		if gone, goneErr := tx.LockGoneByExternalID(c.ConnectionID, *wanted.ExternalID); !isNotFound(goneErr) {
			return gone, goneErr
		}
	}
	switch {
	case isNotFound(err):
		return tx.LockGoneByName(wanted)
	case err != nil, !old.Linked:
		return old, err
	case old.Active || !wanted.Active:
		return old, scim.Uniqueness("userName %q already belongs to %s: look that user up and update it instead of creating it, or give one of the two another userName", old.UserName, whois(old))
	case old.ExternalID != nil && wanted.ExternalID != nil:
		return old, scim.Uniqueness("userName %q belongs to %s, who is deactivated and has another externalId, %q: if they are the same person, update that user instead of creating it; if not, give one of the two another userName", old.UserName, whois(old), *old.ExternalID)
	case old.EmailKey != wanted.EmailKey:
		return old, scim.Uniqueness("userName %q belongs to %s, who is deactivated and has another address: if they are the same person, update that user instead of creating it; if not, give one of the two another userName", old.UserName, whois(old))
	}
	return old, nil
}

// taken reports whether a living person has the userName or externalId of wanted.
func (d *Directory) taken(tx *store.Tx, c Caller, wanted models.User) bool {
	_, err := tx.LockUserByName(c.ConnectionID, wanted.UserNameKey)
	if isNotFound(err) && wanted.ExternalID != nil {
		_, err = tx.LockUserByExternalID(c.ConnectionID, *wanted.ExternalID)
	}
	return !isNotFound(err)
}

// whois names a person to an admin of the provider.
func whois(u models.User) string {
	if u.DisplayName == "" || u.DisplayName == u.UserName {
		return "user " + strconv.Quote(u.UserName) + " (id " + u.ID + ")"
	}
	return u.DisplayName + " (userName " + strconv.Quote(u.UserName) + ", id " + u.ID + ")"
}
