package scim

import "slices"

// EmailKeys returns the e-mail addresses of the user, folded, each once, in order.
func (u *User) EmailKeys() []string {
	emails := u.core.list("emails")
	keys := make([]string, 0, len(emails))
	for _, e := range emails {
		if key := Fold(e.text("value")); key != "" {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Searched returns the user as conditions compare them: as Stored, but with every text folded of which case does not
// matter. It is nil where folding does no more than ASCII lower case, which every database can do itself.
func (u *User) Searched() []byte {
	if u.core.foldsInASCII() && u.enterprise.foldsInASCII() {
		return nil
	}
	folded := &User{core: u.core.clone(), enterprise: u.enterprise.clone()}
	folded.core.fold()
	folded.enterprise.fold()
	return folded.Stored()
}

// foldsInASCII tells whether FoldCase of every text that is folded is its ASCII lower case.
func (o *object) foldsInASCII() bool {
	for i, v := range o.vals {
		switch v := v.(type) {
		case string:
			if !o.attrs[i].caseExact && !foldsInASCII(v) {
				return false
			}
		case *object:
			if !v.foldsInASCII() {
				return false
			}
		case []*object:
			for _, e := range v {
				if !e.foldsInASCII() {
					return false
				}
			}
		}
	}
	return true
}

// fold folds every text of which case does not matter.
func (o *object) fold() {
	for i, v := range o.vals {
		switch v := v.(type) {
		case string:
			if !o.attrs[i].caseExact {
				o.vals[i] = FoldCase(v)
			}
		case *object:
			v.fold()
		case []*object:
			for _, e := range v {
				e.fold()
			}
		}
	}
}

// foldsInASCII tells whether FoldCase is the ASCII lower case of s.
func foldsInASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
