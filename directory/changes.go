package directory

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"outpost/models"
	"outpost/scim"
	"outpost/store"
)

// Bounds of what the audit tells about one request.
const (
	maxValue   = 200 // characters of a value
	maxListed  = 20  // people or values that came or went
	maxChanges = 100 // attributes
)

// told is a list of changes as the audit keeps it; nil for none.
func told(changes []models.Change) *string {
	if len(changes) == 0 {
		return nil
	}
	if more := len(changes) - maxChanges; more > 0 {
		changes = append(slices.Clip(changes[:maxChanges]), models.Change{Attribute: "…", More: more})
	}
	b, err := json.Marshal(changes)
	if err != nil {
		return nil
	}
	text := string(b)
	return &text
}

// userChanges tells what became of a person's attributes, in the order of their names.
func userChanges(old, next models.User) []models.Change {
	var changes []models.Change
	if old.Active != next.Active {
		changes = append(changes, models.Change{Attribute: "active", Before: strconv.FormatBool(old.Active), After: strconv.FormatBool(next.Active)})
	}
	if old.Resource == next.Resource {
		return changes
	}
	before, after := flatten(old.Resource), flatten(next.Resource)
	names := make([]string, 0, len(before)+len(after))
	for name := range before {
		names = append(names, name)
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		was, is := before[name], after[name]
		if slices.Equal(was, is) {
			continue
		}
		if len(was) > 1 || len(is) > 1 {
			if c := listChange(name, was, is); len(c.Added)+len(c.Removed) > 0 {
				changes = append(changes, c)
			}
			continue
		}
		changes = append(changes, models.Change{Attribute: name, Before: only(was), After: only(is)})
	}
	return changes
}

// only is the one value of an attribute, "" for none.
func only(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return cut(values[0], maxValue)
}

// listChange tells a list by what came and what went.
func listChange(name string, was, is []string) models.Change {
	c := models.Change{Attribute: name}
	had, has := map[string]bool{}, map[string]bool{}
	for _, v := range was {
		had[v] = true
	}
	list := func(to *[]string, v string) {
		if len(*to) == maxListed {
			c.More++
			return
		}
		*to = append(*to, cut(v, maxValue))
	}
	for _, v := range is {
		if !had[v] && !has[v] {
			list(&c.Added, v)
		}
		has[v] = true
	}
	for _, v := range was {
		if had[v] && !has[v] {
			list(&c.Removed, v)
		}
		had[v] = false
	}
	return c
}

// flatten names every value of a stored resource as people would: `title`, `name.familyName`, `emails[work]`, and the
// attributes of the enterprise extension by their own names.
func flatten(resource string) map[string][]string {
	var all map[string]any
	if json.Unmarshal([]byte(resource), &all) != nil {
		return nil
	}
	flat := map[string][]string{}
	for name, value := range all {
		switch {
		case name == "schemas":
		case strings.EqualFold(name, scim.EnterpriseURN):
			for short, inner := range asObject(value) {
				flattenInto(flat, short, inner)
			}
		default:
			flattenInto(flat, name, value)
		}
	}
	return flat
}

func flattenInto(flat map[string][]string, name string, value any) {
	switch v := value.(type) {
	case string:
		flat[name] = append(flat[name], v)
	case bool:
		flat[name] = append(flat[name], strconv.FormatBool(v))
	case map[string]any:
		for sub, inner := range v {
			flattenInto(flat, name+"."+sub, inner)
		}
	case []any:
		for _, element := range v {
			label := name
			o := asObject(element)
			if kind, _ := o["type"].(string); kind != "" {
				label += "[" + kind + "]"
			}
			for sub, inner := range o {
				switch sub {
				case "type":
				case "value":
					flattenInto(flat, label, inner)
				default:
					flattenInto(flat, label+"."+sub, inner)
				}
			}
		}
	}
}

func asObject(value any) map[string]any {
	o, _ := value.(map[string]any)
	return o
}

// touched is what a request did to the members of a group, beside the people, whom the database tells.
type touched struct {
	people int64                  // memberships that came or went
	waits  []models.WaitingMember // values that are nobody yet, and are new
	left   []string               // values that are waited for no more
}

// more reports whether members came or went since it was than; who only waits for nobody any more is none.
func (t touched) more(than touched) bool {
	return t.people > than.people || len(t.waits) > len(than.waits)
}

// groupChanges tells what became of a locked group. Of its people it reads no more than it shows.
func groupChanges(tx *store.Tx, old, next models.Group, t touched) ([]models.Change, error) {
	var changes []models.Change
	if old.DisplayName != next.DisplayName {
		changes = append(changes, models.Change{Attribute: "displayName", Before: cut(old.DisplayName, maxValue), After: cut(next.DisplayName, maxValue)})
	}
	if old.ExternalID != next.ExternalID {
		changes = append(changes, models.Change{Attribute: "externalId", Before: cut(old.ExternalID, maxValue), After: cut(next.ExternalID, maxValue)})
	}
	if t.people == 0 && len(t.waits)+len(t.left) == 0 {
		return changes, nil
	}
	c := models.Change{Attribute: "members"}
	if t.people > 0 {
		people, total, err := tx.ChangedMembers(next.ID, next.Version, maxListed)
		if err != nil {
			return nil, err
		}
		for _, p := range people {
			name := cut(p.DisplayName, maxValue)
			if p.Removed {
				c.Removed = append(c.Removed, name)
			} else {
				c.Added = append(c.Added, name)
			}
		}
		c.More = total - len(people)
	}
	for _, w := range t.waits {
		name := w.Display
		if name == "" {
			name = w.Value
		}
		if len(c.Added) == maxListed {
			c.More++
			continue
		}
		c.Added = append(c.Added, cut(name, maxValue))
	}
	for _, v := range t.left {
		if len(c.Removed) == maxListed {
			c.More++
			continue
		}
		c.Removed = append(c.Removed, cut(v, maxValue))
	}
	return append(changes, c), nil
}
