package directory_test

import (
	"testing"

	"outpost/directory"
	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/scim"
	"outpost/store"
)

func TestRowsOfAnotherVersionAreFolded(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		u, err := w.Directory.CreateUser(t.Context(), w.Caller(), w.Resource(`{"userName":"jw","displayName":"JÖRG Weiss","emails":[{"value":"jw@acme.test","primary":true},{"value":"JÖRG@acme.test"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		// As a migration leaves them: nothing is folded, and addresses are keyed by the database.
		err = w.Store.Write(t.Context(), func(tx *store.Tx) error {
			if err := tx.SaveSearched(models.User{ID: u.ID}); err != nil {
				return err
			}
			return tx.SetEmails(models.User{ID: u.ID, ConnectionID: u.ConnectionID, OtherEmails: []string{"jÖrg@acme.test"}})
		})
		if err != nil {
			t.Fatal(err)
		}
		found := func(filter string) int {
			t.Helper()
			f, err := scim.ParseFilter(filter)
			if err != nil {
				t.Fatal(err)
			}
			page, err := w.Directory.Users(t.Context(), w.Caller(), scim.Query{Filter: f, Page: scim.Page{StartIndex: 1, Count: 10}})
			if err != nil {
				t.Fatal(err)
			}
			return page.Total
		}
		filters := []string{`displayName eq "JÖRG weiß"`, `emails eq "jörg@acme.test"`}
		for _, f := range filters {
			if found(f) != 0 {
				t.Errorf("%s finds an old row", f)
			}
		}
		for range 2 {
			if err := directory.Refold(t.Context(), w.Store); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range filters {
			if found(f) != 1 {
				t.Errorf("%s finds nobody", f)
			}
		}
	})
}
