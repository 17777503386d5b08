package api

import (
	"context"
	"testing"

	"outpost/simulator"
)

func TestOtherProvidersFindNothingToComplainAbout(t *testing.T) {
	type provider interface {
		Run(context.Context, simulator.Plan, simulator.Observer) (simulator.Report, error)
	}
	entra := func(compliant bool) func(*kit) (provider, error) {
		return func(k *kit) (provider, error) {
			e, err := simulator.NewEntra(k.base, k.token, compliant)
			if err == nil {
				e.HardDelete = true
			}
			return e, err
		}
	}
	oneLogin := func(leaver simulator.Leaver) func(*kit) (provider, error) {
		return func(k *kit) (provider, error) { return simulator.NewOneLogin(k.base, k.token, leaver) }
	}
	jumpCloud := func(k *kit) (provider, error) { return simulator.NewJumpCloud(k.base, k.token) }
	for name, test := range map[string]struct {
		make                      func(*kit) (provider, error)
		members, inactive, listed int // that are left of 120 people of whom 20 leave and 8 come back
	}{
		"Entra":              {entra(false), 100, 0, 108},
		"Entra, compliant":   {entra(true), 100, 0, 108},
		"OneLogin, suspends": {oneLogin(simulator.Suspend), 120, 12, 120},
		"OneLogin, deletes":  {oneLogin(simulator.Delete), 100, 0, 100},
		"JumpCloud":          {jumpCloud, 100, 12, 120},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, k *kit) {
				p, err := test.make(k)
				k.must(err)
				before := k.send("GET", "/Users?count=0", "").is(200).at("totalResults").(float64)
				plan := simulator.Plan{Users: 120, Update: 10, Group: "Engineering", Deactivate: 20, Reactivate: 8}
				for range 2 { // the second run finds them all, but for those who were deleted
					report, err := p.Run(t.Context(), plan, nil)
					k.must(err)
					if len(report.UserIDs) != 120 || len(report.Updated) != 10 || len(report.Deactivated)+len(report.Deleted) < 20 {
						t.Errorf("%d people, %d updated, %d deactivated, %d deleted", len(report.UserIDs), len(report.Updated), len(report.Deactivated), len(report.Deleted))
					}
					for _, r := range report.Requests {
						if r.Failures > 0 || r.Retries > 0 {
							t.Errorf("%+v", r)
						}
					}
					if n := len(k.members(report.GroupID)); n != test.members {
						t.Errorf("%d members, want %d", n, test.members)
					}
					if n := k.send("GET", "/Users?count=0&filter="+q("active eq false"), "").is(200).at("totalResults"); n != float64(test.inactive) {
						t.Errorf("%v are inactive, want %d", n, test.inactive)
					}
					if n := k.send("GET", "/Users?count=0", "").is(200).at("totalResults").(float64) - before; n != float64(test.listed) {
						t.Errorf("%v are listed, want %d", n, test.listed)
					}
					if n := k.send("GET", "/Groups?count=0", "").is(200).at("totalResults"); n != 1.0 {
						t.Errorf("%v groups are listed", n)
					}
				}
			})
		})
	}
}

func TestJumpCloudFindsNothingToComplainAboutInAGroupsLife(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		j, err := simulator.NewJumpCloud(k.base, k.token)
		k.must(err)
		report, err := j.Run(t.Context(), simulator.Plan{Users: 5, Group: "Engineering"}, nil)
		k.must(err)
		group, err := j.PushGroup(t.Context(), "engineering")
		k.must(err)
		if group.ID != report.GroupID {
			t.Errorf("the group is not adopted: %+v", group)
		}
		k.must(j.AddMembers(t.Context(), group, report.People))
		k.must(j.RenameGroup(t.Context(), group, "Engineering 2"))
		k.must(j.RemoveMembers(t.Context(), group, report.People[:2]))
		if n := len(k.members(group.ID)); n != 3 {
			t.Errorf("%d members", n)
		}
		k.must(j.DeleteGroup(t.Context(), group))
	})
}
