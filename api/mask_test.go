package api

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// keep runs a body through the reader that keeps it.
func keep(t testing.TB, body string) *kept {
	t.Helper()
	k := &kept{from: strings.NewReader(body)}
	if n, err := io.Copy(io.Discard, k); err != nil || n != int64(len(body)) {
		t.Fatal(n, err)
	}
	return k
}

func TestPasswordsAreMaskedWhereverTheyAre(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"userName":"ada","password":"hush"}`:                               `{"userName":"ada","password":"***"}`,
		`{"PassWord" : "hush" , "a":1}`:                                      `{"PassWord" : "***" , "a":1}`,
		`{"p\u0061ssword":"hush"}`:                                           `{"p\u0061ssword":"***"}`,
		`{"a":[{"b":{"password":{"value":"hush","x":["hush"]}}}],"c":2}`:     `{"a":[{"b":{"password":"***"}}],"c":2}`,
		`{"password":["hush","\"hush"],"newPassword":"hush"}`:                `{"password":"***","newPassword":"***"}`,
		`{"password":12345,"a":true}`:                                        `{"password":"***","a":true}`,
		`{"password":null}`:                                                  `{"password":"***"}`,
		`{"a":"\"password\":","password":"h\\\"hush"}`:                       `{"a":"\"password\":","password":"***"}`,
		`{"urn:ietf:params:scim:schemas:core:2.0:User:password":"hush"}`:     `{"urn:ietf:params:scim:schemas:core:2.0:User:password":"***"}`,
		`{"Operations":[{"op":"replace","path":"password","value":"hush"}]}`: `{"Operations":[{"op":"replace","path":"password","value":"***"}]}`,
		`{"Operations":[{"value":"hush","op":"replace","Path":"urn:x:Pass\u0057ord"},{"op":"add","path":"title","value":"x"}]}`: `{"Operations":[{"value":"***","op":"replace","Path":"urn:x:Pass\u0057ord"},{"op":"add","path":"title","value":"***"}]}`,
		`{"Operations":[{"op":"replace","value":{"password":"hush","title":"x"}}]}`:                                             `{"Operations":[{"op":"replace","value":{"password":"***","title":"x"}}]}`,
		`{"title":"no secret"}`: `{"title":"no secret"}`,
		`{"title":"a \\ b"}`:    `{"title":"a \\ b"}`,
	} {
		got := keep(t, body).masked(true, false)
		if got != want || !json.Valid([]byte(got)) {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
}

func TestAFragmentNeverShowsAPassword(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 20_000)
	for _, body := range []string{
		`{"userName":"ada","password":"hush`, `{"userName":"ada","password" "hush"}`, `{'password':'hush'}`, `{"userName":"ada","p\u0061ssword":"hush`, `password=hush`,
		`{"password":"hush","x":"` + long + `"}`, `{"userName":"ada","x":"` + long + `","password":"hush"}`, `{"x":"` + long[:len(long)/2+1] + `","PASSWORD":"hush"`, "\xff\x00{\"password\":\"hush\"",
	} {
		for _, patch := range []bool{true, false} {
			got := keep(t, body).masked(false, patch)
			if strings.Contains(got, "hush") || len(got) > maxKept || !utf8.ValidString(got) || strings.Contains(got, "\x00") {
				t.Errorf("%.80s: %.80s (%d bytes)", body, got, len(got))
			}
		}
	}
	if got := keep(t, `{"Operations":[{"value":"hush","path":"pass`).masked(false, true); strings.Contains(got, "hush") {
		t.Error(got)
	}
	// As long as may be kept, with masks that make it longer still.
	many := `{"a":[` + strings.Repeat(`{"password":1},`, 1090) + `0]}`
	if got := keep(t, many).masked(true, false); len(many) > maxKept || len(got) > maxKept || !utf8.ValidString(got) {
		t.Errorf("%d bytes of %d", len(got), len(many))
	}
}

func FuzzMasking(f *testing.F) {
	f.Add(`{"password":"x","Operations":[{"path":"password","value":[1,{"a":"\\"}]}]}`)
	f.Add(`{"p\u0061ssword" : -1.5e3 }`)
	f.Fuzz(func(t *testing.T, body string) {
		got := (&kept{data: []byte(body)}).masked(false, false)
		if !utf8.ValidString(got) || len(got) > maxKept {
			t.Errorf("%q", got)
		}
		if !json.Valid([]byte(body)) || !utf8.ValidString(body) || len(body) > maxKept/2 {
			return
		}
		if !json.Valid([]byte(got)) {
			t.Fatalf("%q became %q, which is not JSON", body, got)
		}
		d := json.NewDecoder(bytes.NewReader([]byte(got)))
		d.UseNumber()
		var v any
		if d.Decode(&v) == nil {
			checkMasked(t, v)
		}
	})
}

func checkMasked(t *testing.T, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if strings.Contains(strings.ToLower(key), "password") && value != "***" {
				t.Errorf("%q is %v", key, value)
			}
			checkMasked(t, value)
		}
	case []any:
		for _, e := range v {
			checkMasked(t, e)
		}
	}
}
