package workspace

import (
	"slices"
	"testing"
	"time"

	"outpost/models"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	earlier := now.Add(-time.Hour)
	id := "user"
	person := func(change func(*models.User)) models.User {
		u := models.User{ID: id, Email: "ada@acme.test", EmailKey: "ada@acme.test", DisplayName: "Ada", Active: true, Linked: true, Version: 3, Period: 1}
		if change != nil {
			change(&u)
		}
		return u
	}
	member := func(change func(*models.Member)) models.Member {
		m := models.Member{ID: "member", Email: "ada@acme.test", EmailKey: "ada@acme.test", Name: "Old", Role: models.RoleAdmin, Status: models.MemberActive, DirectoryUserID: &id, AppliedVersion: 2, Period: 1, AcceptedAt: &earlier}
		if change != nil {
			change(&m)
		}
		return m
	}
	for _, test := range []struct {
		what string
		got  plan
		want func(p plan) bool
	}{
		{"a new person is invited", planNew(person(nil), "m", now), func(p plan) bool {
			return p.create && p.invite && p.inTeams && p.member.Status == models.MemberInvited && p.member.Role == models.RoleMember && p.member.AppliedVersion == 3
		}},
		{"a new person without an address is not", planNew(person(func(u *models.User) { u.Email, u.EmailKey = "", "" }), "m", now), func(p plan) bool { return p.create && !p.invite }},
		{"a new inactive person has no access and no invitation", planNew(person(func(u *models.User) { u.Active = false }), "m", now), func(p plan) bool {
			return p.member.Status == models.MemberDeactivated && !p.invite && !p.inTeams
		}},
		{"a profile change touches neither role nor status", planChange(person(nil), member(nil), true, now), func(p plan) bool {
			return p.member.Name == "Ada" && p.member.Role == models.RoleAdmin && p.member.Status == models.MemberActive && !p.invite && !p.void && p.movedFrom == "" && p.member.SessionEpoch == 0
		}},
		{"a first contact keeps the role", planChange(person(nil), member(func(m *models.Member) { m.DirectoryUserID, m.Period = nil, 0 }), true, now), func(p plan) bool {
			return p.member.Role == models.RoleAdmin && p.member.Status == models.MemberActive && !p.invite && *p.member.DirectoryUserID == id
		}},
		{"a leaver is out of everything", planChange(person(func(u *models.User) { u.Active = false }), member(nil), true, now), func(p plan) bool {
			return p.member.Status == models.MemberDeactivated && p.void && !p.inTeams && p.member.SessionEpoch == 1
		}},
		{"the deleted are leavers", planChange(person(func(u *models.User) { u.RemovedAt = &now }), member(nil), true, now), func(p plan) bool { return p.member.Status == models.MemberDeactivated }},
		{"the request's block is not repeated", planChange(person(func(u *models.User) { u.Active = false }), member(func(m *models.Member) {
			m.Status, m.DeactivatedAt, m.SessionEpoch = models.MemberDeactivated, &earlier, 1
		}), true, now), func(p plan) bool {
			return p.member.SessionEpoch == 1 && p.member.DeactivatedAt.Equal(earlier)
		}},
		{"who had joined returns active, without a mail", planChange(person(func(u *models.User) { u.Period = 2 }), member(func(m *models.Member) { m.Status, m.DeactivatedAt = models.MemberDeactivated, &earlier }), true, now), func(p plan) bool {
			return p.member.Status == models.MemberActive && p.member.Role == models.RoleAdmin && !p.invite && p.member.DeactivatedAt == nil && p.member.Period == 2
		}},
		{"who had not joined is invited again", planChange(person(func(u *models.User) { u.Period = 2 }), member(func(m *models.Member) { m.Status, m.AcceptedAt = models.MemberDeactivated, nil }), true, now), func(p plan) bool {
			return p.member.Status == models.MemberInvited && p.invite && p.void
		}},
		{"a new address ends sessions and invitations and tells the old one", planChange(person(func(u *models.User) { u.Email, u.EmailKey = "a@b.test", "a@b.test" }), member(nil), true, now), func(p plan) bool {
			return p.movedFrom == "ada@acme.test" && p.void && p.member.SessionEpoch == 1 && p.member.Email == "a@b.test"
		}},
		{"another case of the address is no new address", planChange(person(func(u *models.User) { u.Email = "ADA@acme.test" }), member(nil), true, now), func(p plan) bool {
			return p.movedFrom == "" && p.member.Email == "ADA@acme.test"
		}},
		{"who was removed by hand stays so while the period lasts", planChange(person(nil), member(func(m *models.Member) {
			m.Status, m.DeactivatedAt, m.RemovedBy = models.MemberDeactivated, &earlier, "Hana"
		}), true, now), func(p plan) bool {
			return p.member.Status == models.MemberDeactivated && p.member.RemovedBy == "Hana" && !p.inTeams && p.void && !p.invite && p.member.Name == "Ada"
		}},
		{"who was removed by hand returns with a new period", planChange(person(func(u *models.User) { u.Period = 2 }), member(func(m *models.Member) {
			m.Status, m.DeactivatedAt, m.RemovedBy = models.MemberDeactivated, &earlier, "Hana"
		}), true, now), func(p plan) bool {
			return p.member.Status == models.MemberActive && p.member.RemovedBy == "" && p.inTeams
		}},
		{"an invitation is opened again after a move, not after a profile change", planChange(person(nil), member(func(m *models.Member) { m.Status, m.AcceptedAt = models.MemberInvited, nil }), true, now), func(p plan) bool {
			moved := planChange(person(func(u *models.User) { u.EmailKey = "a@b.test" }), member(func(m *models.Member) { m.Status, m.AcceptedAt = models.MemberInvited, nil }), true, now)
			return p.invite && !p.reopen && moved.invite && moved.reopen
		}},
		{"a successor at the same address inherits nothing", planChange(person(nil), member(func(m *models.Member) { m.Status = models.MemberDeactivated }), false, now), func(p plan) bool {
			return p.member.Role == models.RoleMember && p.member.Status == models.MemberInvited && p.invite
		}},
		{"nor the sessions of whoever had access until then", planChange(person(nil), member(nil), false, now), func(p plan) bool {
			return p.member.Status == models.MemberInvited && p.member.SessionEpoch == 1
		}},
	} {
		if !test.want(test.got) {
			t.Errorf("%s: %+v", test.what, test.got)
		}
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	missing, extra := diff([]string{"a", "b"}, []string{"b", "c"})
	if !slices.Equal(missing, []string{"a"}) || !slices.Equal(extra, []string{"c"}) {
		t.Errorf("missing %v, extra %v", missing, extra)
	}
}

func TestInvitationTokensAreSecretAndStable(t *testing.T) {
	t.Parallel()
	key, err := InvitationKey("a secret of at least thirty-two bytes")
	if err != nil {
		t.Fatal(err)
	}
	other, err := InvitationKey("another secret of thirty-two bytes!!")
	if err != nil {
		t.Fatal(err)
	}
	a := Invitations{Key: key}
	again := Invitations{Key: key}
	if len(a.Token("x")) != 43 || a.Token("x") != again.Token("x") || a.Token("x") == a.Token("y") || a.Token("x") == (Invitations{Key: other}).Token("x") {
		t.Error("the token does not depend on the key and the invitation alone")
	}
}

func TestSlugAndName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"Acme": "acme", "Zürich & Söhne, Ltd.": "z-rich-s-hne-ltd", "  --  ": "workspace", "日本": "workspace"} {
		if got := slug(name); got != want {
			t.Errorf("slug of %q: %q, want %q", name, got, want)
		}
	}
	if got := nameOf("ada.von-lovelace@acme.test"); got != "Ada Von Lovelace" {
		t.Errorf("name %q", got)
	}
}
