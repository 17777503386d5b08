package sso

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
)

func deflated(document []byte) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	w.Write(document)
	w.Close()
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func encode(document string) string { return base64.StdEncoding.EncodeToString([]byte(document)) }

// sizes are documents that are to wear the server out.
var sizes = []attack{
	{number: 42, name: "10,000 deep", why: "more than 32 deep", attacker: afterIssuer(strings.Repeat(`<x>`, 10_000) + strings.Repeat(`</x>`, 10_000))},
	{number: 42, name: "10,000 deep and cut off", why: "more than 32 deep", form: func(string) string {
		return encode(`<p:Response xmlns:p="` + protocolSpace + `" ID="_x">` + strings.Repeat("<x>", 10_000))
	}},
	{number: 42, name: "33 deep", why: "more than 32 deep", attacker: afterIssuer(strings.Repeat(`<x>`, 32) + strings.Repeat(`</x>`, 32))},
	{number: 42, name: "50,000 elements", why: "larger than 256 KiB", attacker: afterIssuer(strings.Repeat(`<x/>`, 50_000))},
	{number: 42, name: "2,001 elements", why: "more than 2,000 elements", attacker: afterIssuer(strings.Repeat(`<x/>`, 2_000))},
	{number: 42, name: "1 MiB of attribute", why: "larger than 256 KiB", attacker: withAttribute("evil:x", strings.Repeat("A", 1<<20))},
	{number: 42, name: "1 MiB of NameID", why: "larger than 256 KiB", attacker: fixed(func(d string) string { return nameIDText.ReplaceAllString(d, "${1}"+strings.Repeat("A", 1<<20)) })},
	{number: 42, name: "10,000 attributes", why: "more than 64 attributes", attacker: fixed(func(d string) string {
		var b strings.Builder
		for i := range 10_000 {
			fmt.Fprintf(&b, ` a%d=""`, i)
		}
		return strings.Replace(d, ` Version="2.0"`, ` Version="2.0"`+b.String(), 1)
	})},
	{number: 42, name: "1,000 namespaces", why: "more than 64 attributes", attacker: fixed(func(d string) string {
		var b strings.Builder
		for i := range 1_000 {
			fmt.Fprintf(&b, ` xmlns:a%d="urn:%d"`, i, i)
		}
		return strings.Replace(d, ` Version="2.0"`, ` Version="2.0"`+b.String(), 1)
	})},
	{number: 42, name: "5 MiB of zeros, compressed", why: "cannot be taken", form: func(string) string { return deflated(make([]byte, 5<<20)) }},
	{number: 42, name: "the good document, compressed", why: "cannot be taken", form: func(d string) string { return deflated([]byte(d)) }},
	{number: 42, name: "1 MiB of (", why: "larger than 256 KiB", form: func(string) string { return strings.Repeat("(", 1<<20) }},
	{number: 42, name: "200 KiB of <", why: "cannot be taken", form: func(string) string { return encode(strings.Repeat("<", 190_000)) }},
}

// valued is a vendor's answer whose assertion has that many values of one attribute more.
func valued(t testing.TB, v vendor, what signed, n int) string {
	return v.sign(t, v.signer(t), withValues(n)(v, v.plain(t)), what)
}

// withValues adds that many values of one attribute.
func withValues(n int) func(vendor, string) string {
	return edited(func(_, assertion *etree.Element) {
		attribute := assertion.FindElement("./AttributeStatement/Attribute").Copy()
		attribute.CreateAttr("Name", "groups")
		value := attribute.FindElement("./AttributeValue").Copy()
		attribute.Child = nil
		for i := range n {
			one := value.Copy()
			one.SetText(fmt.Sprintf("group %d", i))
			attribute.AddChild(one)
		}
		assertion.FindElement("./AttributeStatement").AddChild(attribute)
	})
}

func TestGroupsInAnAnswerAreTakenUpToALimitAndRefusedBeyondIt(t *testing.T) {
	t.Parallel()
	for _, what := range allSigned {
		for _, v := range []vendor{vendors[0], vendors[1]} {
			for _, n := range []int{150, 400} {
				if a, report, err := answer(v.check(t), valued(t, v, what, n)); err != nil || a.NameID != legit {
					t.Errorf("%s, %s: %d values: %v, %+v", v.name, what, n, err, report)
				}
			}
			_, report, err := answer(v.check(t), withValues(1000)(v, v.good(t, what)))
			if told := reason(report, err); !strings.Contains(told, "2 signature: the answer carries 1") || !strings.Contains(told, "send no groups: they come through Directory Sync") {
				t.Errorf("%s, %s: 1,000 values: %s", v.name, what, told)
			}
		}
	}
}

// The number of elements that we say can be checked is one that gosaml2 does check: nobody meets its own limit first.
func TestAsManyElementsAsWeAllowCanBeChecked(t *testing.T) {
	t.Parallel()
	for _, v := range vendors {
		if v.name == "google" {
			continue // has no attributes
		}
		for _, what := range allSigned {
			bare, err := ReadAnswer(encode(valued(t, v, what, 0)))
			if err != nil {
				t.Fatal(err)
			}
			room := maxVerifiable - bare.elements
			if _, report, err := answer(v.check(t), valued(t, v, what, room)); err != nil {
				t.Errorf("%s, %s: %d values: %v, %+v", v.name, what, room, err, report)
			}
			if _, report, err := answer(v.check(t), valued(t, v, what, room+1)); err == nil || !strings.Contains(reason(report, err), "too many to check") {
				t.Errorf("%s, %s: %d values: %v", v.name, what, room+1, err)
			}
		}
	}
}

func TestLargeAnswersAreRefusedFast(t *testing.T) {
	t.Parallel()
	best := func(c Check, field string) time.Duration {
		best := time.Hour
		for range 3 {
			began := time.Now()
			_, _, _ = try(c, field)
			best = min(best, time.Since(began))
		}
		return best
	}
	// A machine that is busy, or looks for races, takes longer for good ones too.
	limit := max(50*time.Millisecond, 20*best(vendors[0].check(t), encode(vendors[0].good(t, signedBoth))))
	for _, a := range sizes {
		field, c := a.make(t, vendors[0], signedBoth)
		if took := best(c, field); took > limit {
			t.Errorf("%s: %s, longer than %s", a.name, took, limit)
		}
	}
}
