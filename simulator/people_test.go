package simulator

import (
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestPeopleAreUniqueAndAlwaysTheSame(t *testing.T) {
	t.Parallel()
	const n = 5000
	seen := map[string]bool{}
	foreign := 0
	for _, prefix := range []string{"", "a", "A", "monday", "sim 1", "sim-1", "東京"} {
		people := People(prefix, n, "acme.test")
		if !slices.Equal(people[:50], People(prefix, 50, "acme.test")) {
			t.Errorf("the first people of %q differ with their number", prefix)
		}
		for _, p := range people {
			if seen[p.UserName] || seen[p.ExternalID] {
				t.Fatalf("%q: %s or %s is there twice", prefix, p.UserName, p.ExternalID)
			}
			seen[p.UserName], seen[p.ExternalID] = true, true
			if p.GivenName+p.FamilyName != ascii(p.GivenName+p.FamilyName) {
				foreign++
			}
		}
	}
	if foreign < n {
		t.Errorf("only %d names are not ASCII", foreign)
	}
}

func TestPeopleLookLikePeople(t *testing.T) {
	t.Parallel()
	id := regexp.MustCompile(`^00u[0-9A-Za-z]{17}$`)
	for _, p := range People("monday", 3000, "acme.test") {
		address, err := mail.ParseAddress(p.Email)
		if err != nil || address.Address != p.Email || p.Email != ascii(p.Email) || p.UserName != p.Email || p.Email != strings.ToLower(p.Email) {
			t.Fatalf("address of %+v: %v", p, err)
		}
		if !id.MatchString(p.ExternalID) || p.GivenName == "" || p.FamilyName == "" || p.Department == "" || p.Title == "" || p.ID != "" {
			t.Fatalf("person is %+v", p)
		}
	}
	if People("x", -1, "acme.test") == nil || len(People("x", 0, "acme.test")) != 0 {
		t.Error("nobody is an empty list")
	}
}

func TestNameTablesHaveNoNameTwice(t *testing.T) {
	t.Parallel()
	for _, table := range [][]spelling{givenNames[:], familyNames[:]} {
		seen := map[string]bool{}
		for _, s := range table {
			if seen[s.ascii] || seen[s.name] || s.ascii != ascii(s.ascii) {
				t.Errorf("%s (%s)", s.name, s.ascii)
			}
			seen[s.ascii], seen[s.name] = true, true
		}
	}
	if len(givenNames) != 47 || len(familyNames) != 43 {
		t.Errorf("%d and %d names", len(givenNames), len(familyNames))
	}
}

func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0x80 {
			return -1
		}
		return r
	}, s)
}
