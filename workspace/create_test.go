package workspace_test

import (
	"testing"

	"outpost/internal/testkit"
	"outpost/internal/testkit/fixture"
	"outpost/models"
	"outpost/workspace"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestCreateGivesAnActiveOwnerAndAFreeSlug(t *testing.T) {
	t.Parallel()
	fixture.Each(t, func(t *testing.T, w *fixture.World) {
		second, err := workspace.Create(t.Context(), w.Store, "Acme", "eve.adams@acme.test", models.PlanTeam, w.Clock.Now())
		if err != nil || second.Slug != "acme-2" {
			t.Fatalf("%+v %v", second, err)
		}
		ms, err := w.Store.Members(t.Context(), second.ID)
		if err != nil || len(ms) != 1 || ms[0].Role != models.RoleOwner || ms[0].Status != models.MemberActive || ms[0].Name != "Eve Adams" || ms[0].Teams == nil {
			t.Errorf("members %+v %v", ms, err)
		}
		for _, bad := range [][3]string{{"", "a@b.test", "team"}, {"X", "no address", "team"}, {"X", "Ada <a@b.test>", "team"}, {"X", "a@b.test", "gold"}} {
			if _, err := workspace.Create(t.Context(), w.Store, bad[0], bad[1], models.Plan(bad[2]), w.Clock.Now()); !models.Is(err, models.Invalid) {
				t.Errorf("%q: %v", bad, err)
			}
		}
	})
}
