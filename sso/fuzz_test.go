package sso

import (
	"testing"
)

// FuzzAnswer feeds the reading and the checks with what is made of good answers and of attacks: whatever is taken names
// the one person that the provider named.
func FuzzAnswer(f *testing.F) {
	var checks []Check
	for _, v := range vendors {
		checks = append(checks, v.check(f))
		for _, what := range allSigned {
			f.Add(encode(v.good(f, what)))
		}
	}
	for _, a := range attacks() {
		what := signedAssertion
		if a.only != nil {
			what = a.only[0]
		}
		if field, _ := a.make(f, vendors[0], what); len(field) < 64<<10 && a.number != 17 {
			f.Add(field)
		}
	}
	f.Fuzz(func(t *testing.T, field string) {
		d, err := ReadAnswer(field)
		if err != nil {
			return
		}
		for _, c := range checks {
			if a, _, err := c.Answer(d); err == nil && a.NameID != legit {
				t.Errorf("taken for %+v", a)
			}
		}
	})
}

// FuzzDocument is FuzzAnswer without base64, which changes of single bytes rarely keep whole.
func FuzzDocument(f *testing.F) {
	for _, what := range allSigned {
		f.Add(vendors[0].good(f, what))
	}
	c := vendors[0].check(f)
	f.Fuzz(func(t *testing.T, document string) {
		d, err := ReadAnswer(encode(document))
		if err != nil {
			return
		}
		if a, _, err := c.Answer(d); err == nil && a.NameID != legit {
			t.Errorf("taken for %+v", a)
		}
	})
}

// FuzzMetadata reads whatever an admin may paste.
func FuzzMetadata(f *testing.F) {
	for _, seed := range metadataSeeds(f) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, metadata []byte) {
		p, err := ReadMetadata(metadata)
		if err == nil && (p.EntityID == "" || signInURL(p.SignInURL) != nil || len(p.Certificates) == 0 || len(p.Certificates) > maxCertificates) {
			t.Errorf("taken: %+v", p)
		}
	})
}
