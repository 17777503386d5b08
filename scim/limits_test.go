package scim

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// joined joins n texts that are made from their number.
func joined(n int, of func(i int) string) string {
	list := make([]string, n)
	for i := range list {
		list[i] = of(i)
	}
	return strings.Join(list, ",")
}

// texts of n bytes at most that are dear to fold.
func dear(n int) string { return strings.Repeat("ΐ", n/2) }

// patchOf is a change of a user by a PATCH.
func patchOf(user, ops string) func() error {
	return func() error {
		p, err := DecodePatch(strings.NewReader(`{"Operations":[` + ops + `]}`))
		if err != nil {
			return err
		}
		u, err := DecodeUser(strings.NewReader(user))
		if err != nil {
			return err
		}
		_, err = p.ApplyUser(u, "U1", entra)
		return err
	}
}

// stored is what becomes of the body of a POST.
func stored(body string) func() error {
	return func() error {
		u, err := DecodeUser(strings.NewReader(body))
		if err == nil {
			_, _, _ = u.Stored(), u.Searched(), u.EmailKeys()
		}
		return err
	}
}

func groupOf(body string) func() error {
	return func() error { _, err := DecodeGroup(strings.NewReader(body)); return err }
}

func groupPatch(ops string) func() error {
	return func() error {
		p, err := DecodePatch(strings.NewReader(`{"Operations":[` + ops + `]}`))
		if err == nil {
			_, err = p.GroupChanges("G1", entra)
		}
		return err
	}
}

func searched(filter string) func() error {
	return func() error {
		f, err := ParseFilter(filter)
		if err != nil {
			return err
		}
		for _, t := range []Type{UserType, GroupType} {
			_, err = ResolveAny(t, f)
		}
		return err
	}
}

// bulkOf resolves every operation of a bulk request twice: with nobody known, and with all.
func bulkOf(ops string) func() error {
	return func() error {
		b, err := DecodeBulk(strings.NewReader(`{"Operations":[` + ops + `]}`))
		if err != nil {
			return err
		}
		for _, op := range b.Operations {
			if op.Err != nil {
				return op.Err
			}
			_ = op.References()
			op.Resolve(func(string) (string, bool) { return "", false })
			op.Resolve(func(string) (string, bool) { return "0190", true })
		}
		return nil
	}
}

func userWith(more string) string { return `{"userName":"ada",` + more + `}` }

// repeat fills a body of n bytes.
func filled(n int, of func(i int) string) string { return joined(n/(len(of(100_000))+1), of) }

const mebi = 1 << 20

// worn is an input that is to wear the server out: at the limits, or beyond them.
type worn struct {
	run func() error
	why string // a part of the error, "" where it is accepted
	mib int    // how large it is, where that is more than 1
}

func worst() map[string]worn {
	text := dear(8000)
	address := func(i int) string { return fmt.Sprintf(`{"value":"%s%d@acme.test","type":"t%d"}`, dear(200), i, i) }
	emails := `"emails":[` + joined(MaxValues, address) + `]`
	phones := `"phoneNumbers":[` + filled(240_000, func(i int) string { return fmt.Sprintf(`{"value":"%d%s"}`, i, text) }) + `]`
	terms := func(attr string) string {
		return strings.TrimSuffix(strings.Repeat(attr+` co "ΐΐΐΐΐΐΐΐΐΐΐΐΐΐΐΐΐΐΐΐΐΐΐΐ" or `, MaxFilterTerms), " or ")
	}
	op := func(path, value string) func(int) string {
		return func(int) string {
			return `{"op":"replace","path":"` + strings.ReplaceAll(path, `"`, `\"`) + `","value":` + value + `}`
		}
	}
	labels := func(i int) string { return fmt.Sprintf(`{"display":"x","type":"%s%06d"}`, text, i) }
	chain := func(i int) string {
		return fmt.Sprintf(`{"method":"POST","path":"/Groups","bulkId":"%d","data":{"displayName":"g%d","members":[{"value":"bulkId:%d"}]}}`, i, i, (i+1)%MaxBulk)
	}
	return map[string]worn{
		"a filter of parentheses":            {searched(strings.Repeat("(", 16) + terms("emails") + strings.Repeat(")", 16)), "", 1},
		"a filter of 2,048 bytes":            {searched(`title co "` + strings.Repeat("ΐ", 1018) + `"`), "", 1},
		"a filter of 2,049 bytes":            {searched(`title co "` + strings.Repeat("ΐ", 1019) + `"`), "longer than 2048", 1},
		"a filter of 20 terms and one":       {searched(terms("title") + ` or id pr`), "more than 20", 1},
		"a filter 17 deep":                   {searched(strings.Repeat("(", 17) + "id pr" + strings.Repeat(")", 17)), "deeper than 16", 1},
		"32 deep":                            {stored(userWith(`"x":` + strings.Repeat("[", 31) + strings.Repeat("1,", mebi/2) + `1` + strings.Repeat("]", 31))), "", 1},
		"33 deep":                            {stored(userWith(`"x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32))), "deeper than 32", 1},
		"a long text":                        {stored(userWith(`"x":"` + strings.Repeat("x", mebi) + `"`)), "", 1},
		"a long text of escapes":             {stored(userWith(`"title":"` + strings.Repeat(`\u0041`, mebi/6) + `"`)), "more than 4096", 1},
		"many names":                         {stored(userWith(filled(mebi, func(i int) string { return fmt.Sprintf(`"a%d":1`, i) }))), "", 1},
		"many names that are paths":          {stored(userWith(filled(mebi, func(i int) string { return fmt.Sprintf(`"a.b%d":1`, i) }))), "", 1},
		"many paths of a schema":             {stored(userWith(`"` + EnterpriseURN + `":{` + filled(mebi, func(i int) string { return fmt.Sprintf(`"a%d":1`, i) }) + `}`)), "", 1},
		"many paths with filters":            {stored(userWith(filled(mebi, func(i int) string { return fmt.Sprintf(`"emails[type eq \"%d\"].value":"x"`, i) }))), "more than 500", 1},
		"500 e-mails":                        {stored(userWith(emails)), "", 1},
		"501 e-mails":                        {stored(userWith(`"emails":[` + joined(MaxValues+1, address) + `]`)), "more than 500", 1},
		"e-mails without a value":            {stored(userWith(`"emails":[` + strings.Repeat("null,", mebi/5) + `null]`)), "", 1},
		"long labels":                        {stored(userWith(`"emails":[` + filled(mebi, labels) + `]`)), "too often", 1},
		"500 times the same":                 {stored(userWith(`"emails":[` + joined(MaxValues, func(int) string { return `{"value":"x"}` }) + `]`)), "", 1},
		"1,000 operations":                   {patchOf(userWith(emails), joined(MaxOperations, op(`emails[type eq "t499"].value`, `"x"`))), "too often", 1},
		"1,001 operations":                   {patchOf(userWith(emails), joined(MaxOperations+1, op("title", `"x"`))), "more than 1000 operations", 1},
		"1,000 operations with long filters": {patchOf(userWith(emails), joined(MaxOperations, op("emails["+terms("value")+"].display", `"x"`))), "too often", 1},
		"operations on long texts":           {patchOf(userWith(phones), joined(200, op("phoneNumbers["+terms("value")+"].display", `"x"`))), "too often", 1},
		"1,000 additions":                    {patchOf(userWith(emails), joined(MaxOperations, func(i int) string { return fmt.Sprintf(`{"op":"add","path":"emails","value":[{"value":"%d"}]}`, i) })), "more than 500", 1},
		"1,000 removals":                     {patchOf(userWith(emails), joined(MaxOperations, func(i int) string { return fmt.Sprintf(`{"op":"remove","path":"emails","value":[{"value":"%d"}]}`, i) })), "", 1},
		"additions of 500": {patchOf(userWith(emails), joined(40, func(i int) string {
			return fmt.Sprintf(`{"op":"replace","path":"ims","value":[%s]}`, joined(MaxValues, func(i int) string { return fmt.Sprintf(`{"value":"%d"}`, i) }))
		})), "too often", 1},
		"1,000 times everything": {patchOf(userWith(emails), joined(MaxOperations, func(i int) string { return `{"op":"replace","value":{"title":"x","emails[type pr].display":"x"}}` })), "too often", 1},
		"1,000 bad paths":        {patchOf(userWith(emails), joined(MaxOperations, op("x["+terms("value")+"]", `"x"`))), "", 1},
		"a group of 30,000":      {groupOf(`{"displayName":"x","members":[` + joined(30_000, func(i int) string { return fmt.Sprintf(`{"value":"%d"}`, i) }) + `]}`), "", 1},
		"a group 33 deep":        {groupOf(`{"displayName":"x","y":` + strings.Repeat("[", 10_000)), "ends before", 1},
		"1,000 operations on members": {groupPatch(joined(MaxOperations, func(i int) string {
			return `{"op":"add","path":"members","value":[` + joined(100, func(j int) string { return fmt.Sprintf(`"%d"`, i+j) }) + `]}`
		})), "", 3},
		"a chain of references":  {bulkOf(joined(MaxBulk-1, chain)), "", 1},
		"a circle of references": {bulkOf(joined(MaxBulk, chain)), "", 1},
		"1,001 bulk operations":  {bulkOf(joined(MaxBulk+1, chain)), "more than 1000", 1},
		"everybody refers to everybody": {bulkOf(joined(MaxBulk, func(i int) string {
			return fmt.Sprintf(`{"method":"PUT","path":"/Groups/%d","data":{"members":[%s]}}`, i, joined(100, func(i int) string { return fmt.Sprintf(`"bulkId:%d"`, i) }))
		})), "", 3},
		"a large bulk operation": {bulkOf(`{"method":"PUT","path":"/Groups/1","data":{"a":"bulkId:x","b":[` + strings.Repeat("1,", mebi/2) + `1]}}`), "", 1},
		"many references":        {bulkOf(`{"method":"PUT","path":"/Groups/1","data":{"b":[` + strings.Repeat(`"bulkId:x",`, mebi/11) + `1]}}`), "", 1},
		"a text of references":   {bulkOf(`{"method":"PUT","path":"/Groups/1","data":{"b":"` + strings.Repeat(`bulkId:`, mebi/7) + `"}}`), "", 1},
		"references 31 deep":     {bulkOf(`{"method":"PUT","path":"/Groups/1","data":` + strings.Repeat(`{"a":`, 28) + `[` + strings.Repeat("1,", mebi/2) + `"bulkId:x"]` + strings.Repeat("}", 28) + `}`), "", 1},
	}
}

// The worst input within the limits, and just beyond them, costs no more than 50 ms and 32 MB, or where the machine is
// busy or looks for races some times of what harmless input of its size does. Nothing runs beside it.
func TestTheWorstInputIsCheap(t *testing.T) {
	cost := func(run func() error, most time.Duration) (took time.Duration, bytes uint64, err error) {
		took = time.Hour
		for tries := 0; tries < 6 && took > most; tries++ { // the best of some
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			err = run()
			took = min(took, time.Since(start))
			runtime.ReadMemStats(&after)
			bytes = after.TotalAlloc - before.TotalAlloc
		}
		return took, bytes, err
	}
	harmless, read, err := cost(stored(`{"userName":"ada"`+strings.Repeat(" ", mebi)+`}`), 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range worst() {
		size := time.Duration(in.mib)
		mostTime, mostBytes := max(50*time.Millisecond, 20*size*harmless), 32*mebi+uint64(in.mib)*read
		took, bytes, err := cost(in.run, mostTime)
		if (err == nil) != (in.why == "") || err != nil && !strings.Contains(refusal(t, err).Detail, in.why) {
			t.Errorf("%s: %v, want %q", name, err, in.why)
		}
		if took > mostTime || bytes > mostBytes {
			t.Errorf("%s: %v and %d MB, more than %v and %d MB", name, took, bytes/mebi, mostTime, mostBytes/mebi)
		}
		if testing.Verbose() {
			t.Logf("%-36s %8.1f of %.0f ms, %4d of %d MB", name, took.Seconds()*1000, mostTime.Seconds()*1000, bytes/mebi, mostBytes/mebi)
		}
	}
}
