package scim

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func BenchmarkDecodeUser(b *testing.B) {
	body := read(b, "user_okta_post.json")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeUser(bytes.NewReader(body)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendUser(b *testing.B) {
	stored := ada(b).Stored()
	for name, p := range map[string]Projection{"all": {}, "some": ParseProjection("userName,emails.value", "")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				dst = AppendUser(dst[:0], stored, true, meta, refs, p)
			}
		})
	}
}

func BenchmarkParseFilter(b *testing.B) {
	for name, s := range map[string]string{"plain": `userName eq "mia@acme.test"`, "full": `emails[type eq "work"].value eq "mia@acme.test" and active eq true`} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseFilter(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGroupChanges(b *testing.B) {
	var list []string
	for i := range 100 {
		list = append(list, fmt.Sprintf(`{"value":"5f0c1c9e-0b5e-4c0e-9a61-2d3c7c9f%04d","display":"user%d@acme.test"}`, i, i))
	}
	body := []byte(operations(`{"op":"add","path":"members","value":[` + strings.Join(list, ",") + `]}`))
	b.ReportAllocs()
	for b.Loop() {
		p, err := DecodePatch(bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		if c, err := p.GroupChanges("G1", entra); err != nil || len(c[0].Members) != 100 {
			b.Fatal(err)
		}
	}
}

func BenchmarkApplyUser(b *testing.B) {
	p := decodePatch(b, operations(`{"op":"replace","value":{"active":false}}`))
	u := ada(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.ApplyUser(u, "U1", entra); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeGroup(b *testing.B) {
	var body bytes.Buffer
	body.WriteString(`{"displayName":"G","members":[{"value":"U"}`)
	for i := range 10000 {
		fmt.Fprintf(&body, `,{"value":"U%d","display":"user%d@acme.test"}`, i, i)
	}
	body.WriteString(`]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeGroup(bytes.NewReader(body.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
}
