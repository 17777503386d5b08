package api

import (
	"testing"

	"outpost/simulator"
)

func TestOktaFindsNothingToComplainAbout(t *testing.T) {
	for _, style := range []simulator.Style{simulator.Put, simulator.Patch} {
		t.Run(string(style), func(t *testing.T) {
			onBoth(t, func(t *testing.T, k *kit) {
				okta, err := simulator.New(k.base, k.token, style)
				k.must(err)
				plan := simulator.Plan{Users: 200, Group: "Engineering", Deactivate: 20, Reactivate: 8}
				report, err := okta.Run(t.Context(), plan, nil)
				k.must(err)
				if len(report.UserIDs) != 200 || len(report.Deactivated) != 20 || len(report.Reactivated) != 8 {
					t.Errorf("%d people, %d deactivated, %d reactivated", len(report.UserIDs), len(report.Deactivated), len(report.Reactivated))
				}
				for _, r := range report.Requests {
					if r.Failures > 0 || r.Retries > 0 {
						t.Errorf("%+v", r)
					}
				}
				if n := len(k.members(report.GroupID)); n != 200 {
					t.Errorf("%d members", n)
				}
				if a := k.send("GET", "/Users?count=0&filter="+q("active eq false"), "").is(200); a.at("totalResults") != 12.0 {
					t.Error(a.body)
				}

				// A second run finds everybody again, and the parts of a group's life that a run does not play.
				again, err := okta.Run(t.Context(), simulator.Plan{Users: 20, Group: "Engineering"}, nil)
				k.must(err)
				people := again.People
				group, err := okta.PushGroup(t.Context(), "Engineering")
				k.must(err)
				k.must(okta.RenameGroup(t.Context(), group, "Engineering 2"))
				k.must(okta.RemoveMembers(t.Context(), group, people[:5]))
				k.must(okta.PushNow(t.Context(), group, people[:3]))
				if n := len(k.members(group.ID)); n != 3 {
					t.Errorf("%d members after a full push", n)
				}
				k.must(okta.UpdateProfile(t.Context(), &people[0]))
				k.must(okta.DeleteGroup(t.Context(), group))
				k.send("GET", "/Groups/"+group.ID, "").is(404)
			})
		})
	}
}
