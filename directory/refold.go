package directory

import (
	"context"

	"outpost/models"
	"outpost/scim"
	"outpost/store"
)

// The setting that tells what the rows of people were last filled with, and what this program fills them with. It changes
// with whatever filters look at beside the resource itself: how texts are folded, and which addresses are listed.
const (
	foldedSetting = "directory folded"
	foldedNow     = "1"
)

// Refold brings the rows of people to what filters of this program look at, where another version of it wrote them. It
// does so once, may be interrupted and run by several at a time, and costs one read where there is nothing to do.
func Refold(ctx context.Context, s *store.Store) error {
	if done, err := s.Setting(ctx, foldedSetting); err != nil || done == foldedNow {
		return err
	}
	for after := ""; ; {
		people, err := s.UsersFrom(ctx, after, 500)
		if err != nil {
			return err
		}
		for _, u := range people {
			if err := refold(ctx, s, u); err != nil {
				return err
			}
			after = u.ID
		}
		if len(people) == 0 {
			return s.Write(ctx, func(tx *store.Tx) error { return tx.SetSetting(foldedSetting, foldedNow) })
		}
	}
}

func refold(ctx context.Context, s *store.Store, u models.User) error {
	folded, ok := folds(u)
	if !ok || folded.Searched == nil && u.Searched == nil && len(folded.OtherEmails) == 0 {
		return nil // nothing is derived, and nothing was
	}
	err := s.Write(ctx, func(tx *store.Tx) error {
		now, err := tx.LockDesired(u.ID)
		if err != nil {
			return err
		}
		if folded, ok = folds(now); !ok {
			return nil
		}
		if err := tx.SaveSearched(folded); err != nil {
			return err
		}
		return tx.SetEmails(folded)
	})
	if isNotFound(err) {
		return nil // gone meanwhile
	}
	return err
}

// folds fills what is derived from a person's resource; ok is false for one that cannot be read.
func folds(u models.User) (folded models.User, ok bool) {
	resource, err := scim.LoadUser([]byte(u.Resource), u.Active)
	if err != nil {
		return u, false
	}
	u.Searched, u.OtherEmails = searched(resource), otherEmails(resource, u.EmailKey)
	return u, true
}
