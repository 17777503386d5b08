package store

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

// FirstID is the smallest id (UUIDv7) of the millisecond of t. Ids are made in the order of time, so that the ids from
// one FirstID to another are those of the time between, by whatever index the ids are in.
func FirstID(t time.Time) string {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(t.UnixMilli()))
	h := hex.EncodeToString(ms[2:])
	return h[:8] + "-" + h[8:] + "-7000-8000-000000000000"
}

// lastID is above every id.
const lastID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

// IDTime is the millisecond in which an id (UUIDv7) was made; zero for a text that is none.
func IDTime(id string) time.Time {
	h := strings.ReplaceAll(id, "-", "")
	if len(h) != 32 {
		return time.Time{}
	}
	b, err := hex.DecodeString("0000" + h[:12])
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b))).UTC()
}
