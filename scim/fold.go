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
	for range 4 { // the normal form can make blanks
		folded := strings.TrimSpace(FoldCase(s))
		if folded == s {
			break
		}
		s = folded
	}
	return s
}

// FoldCase is Fold without the trimming: the form in which filters compare texts that are no names of resources. It
// repeats the steps until they change nothing, for folding can undo the normal form and the normal form can bring back a
// capital.
func FoldCase(s string) string {
	if foldsInASCII(s) {
		return strings.ToLower(s)
	}
	for range 4 {
		folded := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
		if folded == s {
			break
		}
		s = folded
	}
	return s
}
