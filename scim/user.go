package scim

import (
	"io"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

// User is the client-owned attributes of a User resource (RFC 7643 sections 4.1 and 4.3)
// under their schema names. It never holds id, meta, groups or a password.
type User struct {
	core       *object
	enterprise *object
	active     bool
	given      bool // active was given
}

func emptyUser() *User {
	return &User{core: newObject(userAttributes), enterprise: newObject(enterpriseAttributes)}
}

// DecodeUser reads the body of a POST or PUT. userName is required. What the identity
// providers send beyond or beside the schema is accepted as the lenient functions of this
// package name it; an unknown attribute or schema URN never fails the request.
// An error of the reader comes back wrapped; every other one is an *Error.
func DecodeUser(r io.Reader) (*User, error) {
	data, err := readObject(r)
	if err != nil {
		return nil, err
	}
	u := emptyUser()
	e := edit{user: u, body: true}
	if err := e.mergeUser(data); err != nil {
		return nil, err
	}
	e.tidy()
	var stored []byte
	if len(data) > MaxUserBytes/2 { // else it cannot be too large: what is stored outgrows what was sent by some tens of KiB
		stored = u.Stored()
	}
	return u, u.valid(stored)
}

// LoadUser reads back what Stored wrote.
func LoadUser(stored []byte, active bool) (*User, error) {
	stored = trimSpace(stored)
	if len(stored) == 0 {
		return nil, InvalidSyntax("The stored user is empty")
	}
	if err := checkJSON(stored); err != nil {
		return nil, err
	}
	if stored[0] != '{' {
		return nil, InvalidSyntax("The stored user is not an object")
	}
	u := emptyUser()
	if err := u.core.merge("", stored, false); err != nil {
		return nil, err
	}
	for key, value := range members(stored) {
		if key == EnterpriseURN && value[0] == '{' {
			if err := u.enterprise.merge("", value, false); err != nil {
				return nil, err
			}
		}
	}
	u.core.set("active", nil)
	u.SetActive(active)
	return u, nil
}

// NewUser returns the view of a person who is a member already and was made by no identity
// provider. Given and family name are never empty: Okta's test suite demands both of the
// first user it lists.
func NewUser(userName, givenName, familyName, email string) *User {
	given, family := strings.TrimSpace(givenName), strings.TrimSpace(familyName)
	if given == "" {
		given, family = family, ""
	}
	if given == "" {
		local, _, _ := strings.Cut(firstOf(email, userName), "@")
		words := strings.FieldsFunc(local, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		for i, w := range words {
			r, size := utf8.DecodeRuneInString(w)
			words[i] = string(unicode.ToTitle(r)) + w[size:]
		}
		given = firstOf(strings.Join(words, " "), strings.TrimSpace(userName), "Member")
	}
	if i := strings.LastIndexByte(given, ' '); family == "" && i > 0 {
		given, family = strings.TrimSpace(given[:i]), given[i+1:]
	}
	family = firstOf(family, given)

	u := emptyUser()
	name := newObject(u.core.attrs[find(userAttributes, "name")].sub)
	name.set("givenName", given)
	name.set("familyName", family)
	u.core.set("userName", userName)
	u.core.set("name", name)
	if email != "" {
		e := newObject(u.core.attrs[find(userAttributes, "emails")].sub)
		e.set("value", email)
		e.set("type", "work")
		e.set("primary", true)
		u.core.set("emails", []*object{e})
	}
	return u
}

func firstOf(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

// MaxUserBytes is how large a user may be, as Stored.
const MaxUserBytes = 256 << 10

// valid refuses a user without a userName (RFC 7643 section 4.1.1), and one that is too large to be kept.
func (u *User) valid(stored []byte) error {
	if isBlank(u.UserName()) {
		return InvalidValue("userName is required; map an attribute of the person to userName")
	}
	if len(stored) > MaxUserBytes {
		return InvalidValue("The user has %d KiB of attributes, and at most %d are kept; leave out pictures and long lists", len(stored)>>10, MaxUserBytes>>10)
	}
	return nil
}

// Stored returns the user as compact JSON that begins with "schemas" and holds every
// attribute except active. The same user always gives the same bytes.
func (u *User) Stored() []byte {
	b := append(make([]byte, 0, 512), `{"schemas":["`+UserURN+`"`...)
	extended := !u.enterprise.empty()
	if extended {
		b = append(b, `,"`+EnterpriseURN+`"`...)
	}
	b = append(b, ']')
	b = u.core.append(b, true, "", nil)
	if extended {
		b = append(b, `,"`+EnterpriseURN+`":`...)
		b = u.enterprise.append(b, false, "", nil)
	}
	return append(b, '}')
}

// UserName returns userName as it was sent; compare it by Fold.
func (u *User) UserName() string { return u.core.text("userName") }

// ExternalID returns externalId, the identity provider's own id of the person, or "".
func (u *User) ExternalID() string { return u.core.text("externalId") }

// GivenName returns name.givenName, or "".
func (u *User) GivenName() string { return u.core.child("name").text("givenName") }

// FamilyName returns name.familyName, or "".
func (u *User) FamilyName() string { return u.core.child("name").text("familyName") }

// Department returns the department of the enterprise extension, or "".
func (u *User) Department() string { return u.enterprise.text("department") }

// DisplayName returns the name to show: displayName, else name.formatted, else given and
// family name, else userName.
func (u *User) DisplayName() string {
	name := u.core.child("name")
	full := strings.TrimSpace(name.text("givenName") + " " + name.text("familyName"))
	for _, s := range []string{u.core.text("displayName"), name.text("formatted"), full} {
		if !isBlank(s) {
			return strings.TrimSpace(s)
		}
	}
	return strings.TrimSpace(u.UserName())
}

// Address returns the address that mail goes to: the primary e-mail, else the one of type
// work, else the first, else userName; "" where none is a bare address (`ada@acme.test`).
// An e-mail that is no address is passed over.
func (u *User) Address() string {
	best, rank := "", 0
	for _, e := range u.core.list("emails") {
		r := 1
		switch {
		case e.primary():
			r = 3
		case strings.EqualFold(e.text("type"), "work"):
			r = 2
		}
		if r > rank {
			if a := bareAddress(e.text("value")); a != "" {
				best, rank = a, r
			}
		}
	}
	if rank == 0 {
		best = bareAddress(u.UserName())
	}
	return best
}

func bareAddress(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 254 || !strings.Contains(s, "@") {
		return ""
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Name != "" || a.Address != s {
		return ""
	}
	return s
}

// Active returns active and whether it was given. Where it was not given nothing may change
// the person's access (RFC 7644 section 3.5.1 lets a PUT leave it out).
func (u *User) Active() (value, given bool) { return u.active, u.given }

// SetActive gives active a value.
func (u *User) SetActive(v bool) { u.active, u.given = v, true }
