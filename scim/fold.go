package scim

import (
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold returns the key by which userName and a group's displayName are compared: NFKC,
// case-folded, trimmed (RFC 7643 sections 4.1.1 and 4.2: caseExact is false). Two names are
// one name exactly where their keys are equal. Folding a key again changes nothing.
func Fold(s string) string {
	upper := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x80 {
			return foldUnicode(s)
		}
		upper = upper || 'A' <= c && c <= 'Z'
	}
	s = strings.TrimSpace(s)
	if upper {
		s = strings.ToLower(s)
	}
	return s
}

// FoldCase is Fold without the trimming: the form in which filters compare texts that are no names of resources.
func FoldCase(s string) string {
	upper := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x80 {
			return foldUnicodeCase(s)
		}
		upper = upper || 'A' <= c && c <= 'Z'
	}
	if upper {
		s = strings.ToLower(s)
	}
	return s
}

// foldUnicode trims between the steps too, for the normal form can make blanks.
func foldUnicode(s string) string {
	for range 4 {
		folded := strings.TrimSpace(foldUnicodeCase(s))
		if folded == s {
			break
		}
		s = folded
	}
	return s
}

// foldUnicodeCase repeats the steps until they change nothing, for folding can undo the
// normal form and the normal form can bring back a capital.
func foldUnicodeCase(s string) string {
	for range 4 {
		folded := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
		if folded == s {
			break
		}
		s = folded
	}
	return s
}
