package scim

import (
	"hash/fnv"
	"strconv"
)

// Version is the version of a user: n, which rises with each change of the user, and a print of the groups, which are
// shown with the user and change without it.
func Version(n int64, groups []GroupRef) string {
	v := strconv.FormatInt(n, 10)
	if len(groups) == 0 {
		return v
	}
	h := fnv.New32a()
	for _, g := range groups {
		h.Write([]byte(g.Value))
		h.Write([]byte{0})
		h.Write([]byte(g.Display))
		h.Write([]byte{0})
	}
	return v + "." + strconv.FormatUint(uint64(h.Sum32()), 36)
}

// GroupVersion is the version of a group: n, which rises with each change of the group, and how many of its people were
// deleted, which changes its members without it.
func GroupVersion(n, departures int64) string {
	v := strconv.FormatInt(n, 10)
	if departures == 0 {
		return v
	}
	return v + "." + strconv.FormatInt(departures, 10)
}

// ETag is a version as meta.version and the ETag header have it: weak (RFC 7644 section 3.14).
func ETag(version string) string { return `W/"` + version + `"` }
