package tlsrpt

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading/store"
)

// maxDetails bounds the results that one report tells of.
const maxDetails = 1000

// report is a report as RFC 8460 section 4.4 has it.
type report struct {
	Organization string    `json:"organization-name"`
	Range        dateRange `json:"date-range"`
	Contact      string    `json:"contact-info"`
	ID           string    `json:"report-id"`
	Policies     []*about  `json:"policies"`
}

type dateRange struct {
	Start time.Time `json:"start-datetime"`
	End   time.Time `json:"end-datetime"`
}

// about is what a report says of one policy.
type about struct {
	Policy  Policy   `json:"policy"`
	Summary summary  `json:"summary"`
	Details []detail `json:"failure-details,omitempty"`
}

type summary struct {
	Successful int64 `json:"total-successful-session-count"`
	Failed     int64 `json:"total-failure-session-count"`
}

type detail struct {
	Failure
	Sessions int64 `json:"failed-session-count"`
}

// newReport puts what was counted of a domain on a day together.
func newReport(organization, contact, id string, day time.Time, results []store.TLSResult) (*report, error) {
	r := &report{Organization: organization, Contact: contact, ID: id, Range: dateRange{day, day.Add(24*time.Hour - time.Second)}}
	byPolicy := map[string]*about{}
	for _, counted := range results {
		var x Result
		if err := json.Unmarshal([]byte(counted.Detail), &x); err != nil {
			return nil, fmt.Errorf("read what was counted: %w", err)
		}
		key, err := json.Marshal(x.Policy)
		if err != nil {
			return nil, fmt.Errorf("read what was counted: %w", err)
		}
		a := byPolicy[string(key)]
		if a == nil {
			a = &about{Policy: x.Policy}
			byPolicy[string(key)] = a
			r.Policies = append(r.Policies, a)
		}
		if x.Failure == nil {
			a.Summary.Successful += counted.Count
			continue
		}
		a.Summary.Failed += counted.Count
		a.Details = append(a.Details, detail{*x.Failure, counted.Count})
	}
	return r, nil
}

// compressed is the report as it is sent (RFC 8460 section 5.1).
func (r *report) compressed() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the report: %w", err)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err = w.Write(append(text, '\n')); err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("compress the report: %w", err)
	}
	return b.Bytes(), nil
}

// sessions are the counts of all policies together.
func (r *report) sessions() (s summary) {
	for _, a := range r.Policies {
		s.Successful += a.Summary.Successful
		s.Failed += a.Summary.Failed
	}
	return s
}
