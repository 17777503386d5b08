package scim

import "testing"

func TestFold(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"":                "",
		"ada@acme.test":   "ada@acme.test",
		" Ada@ACME.test ": "ada@acme.test",
		"STRASSE":         "strasse",
		"Straße":          "strasse",
		"ÉLODIE":          "élodie",
		"e\u0301lodie":    "élodie",
		"Ａｄａ":             "ada",
		"ﬁn":              "fin",
		"\u00a0Ada\u2003": "ada",
		"İ":               "i\u0307",
		"ΣΊΣΥΦΟΣ":         "σίσυφοσ",
		"\u212a":          "k",
	} {
		if got := Fold(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}

func TestFoldOfAPlainNameCostsNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Fold("ada.lovelace@acme.test") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
