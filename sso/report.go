package sso

// Point names one thing that an answer is held against.
type Point string

// The points, in the order in which they are checked and shown.
const (
	PointRequest    Point = "request"
	PointSignature  Point = "signature"
	PointIssuer     Point = "issuer"
	PointAudience   Point = "audience"
	PointAddress    Point = "address"
	PointTime       Point = "time"
	PointReplay     Point = "replay"
	PointPerson     Point = "person"
	PointMembership Point = "membership"
)

// Mark is how a point came out.
type Mark string

// The marks of a point.
const (
	Passed  Mark = "ok"
	Failed  Mark = "no"
	Skipped Mark = "skip" // not checked, for want of an earlier one
)

// Line is one point of a Report.
type Line struct {
	Point Point  `json:"point"`
	Mark  Mark   `json:"mark"`
	Got   string `json:"got,omitempty"`  // what arrived, for people; written by others in part
	Cure  string `json:"cure,omitempty"` // what to change at the provider, where the point failed
}

// Report tells an admin how an answer fared: always all nine points, in order.
type Report []Line

// newReport is one in which nothing has been checked yet.
func newReport() Report {
	points := []Point{PointRequest, PointSignature, PointIssuer, PointAudience, PointAddress, PointTime, PointReplay, PointPerson, PointMembership}
	report := make(Report, len(points))
	for i, point := range points {
		report[i] = Line{Point: point, Mark: Skipped}
	}
	return report
}

// Set marks a point: failed where there is something to cure, passed otherwise.
func (r Report) Set(point Point, got, cure string) {
	for i := range r {
		if r[i].Point != point {
			continue
		}
		r[i].Mark, r[i].Got, r[i].Cure = Passed, got, cure
		if cure != "" {
			r[i].Mark = Failed
		}
	}
}

// Failed is the first point that failed and its number, counted from 1; false where none did.
func (r Report) Failed() (Line, int, bool) {
	for i, line := range r {
		if line.Mark == Failed {
			return line, i + 1, true
		}
	}
	return Line{}, 0, false
}
