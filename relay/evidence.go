package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/relay/sanitize"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
	"github.com/stagedoor/stagedoor/threading/store"
)

// maxEvidence is how many messages of a thread are shown, maxEvidenceText how
// much of each is read, in octets.
const (
	maxEvidence     = 200
	maxEvidenceText = 256 << 10
)

// EvidenceMessage is a message of a reported thread, as its reporter has it.
type EvidenceMessage struct {
	Reported bool         // it is the one that was reported
	WriterID threading.ID // zero: not known, or the platform
	From     string
	Subject  string
	FiledAt  time.Time
	Text     string
}

// Evidence reads the messages of a report's thread, the oldest first. Who calls
// it notes the look in the audit log before.
func (p *Pipeline) Evidence(ctx context.Context, r threading.Report) ([]EvidenceMessage, error) {
	items, err := p.o.Store.Evidence(ctx, r, maxEvidence)
	if err != nil {
		return nil, err
	}
	list := make([]EvidenceMessage, 0, len(items))
	for _, it := range items {
		m, err := p.evidence(ctx, it)
		if err != nil {
			return nil, fmt.Errorf("read a message: %w", err)
		}
		m.Reported = it.ID == r.ID
		list = append(list, m)
	}
	return list, nil
}

// evidence reads what an item says.
func (p *Pipeline) evidence(ctx context.Context, it threading.Item) (EvidenceMessage, error) {
	header := func(name string) string {
		v, _ := mimetree.Field(it.Header, name)
		return strings.TrimSpace(mimetree.DecodeHeader(v))
	}
	m := EvidenceMessage{From: header("From"), Subject: header("Subject"), FiledAt: it.MessageID.Time()}
	var err error
	if m.WriterID, err = p.o.Store.WriterOf(ctx, it.ThreadID, it.MessageID); err != nil && !errors.Is(err, store.ErrNotFound) {
		return m, err
	}
	b, err := p.o.Store.OpenBody(ctx, it.BodyID, 0, min(it.BodySize, maxEvidenceText))
	if err != nil {
		return m, err
	}
	body, err := io.ReadAll(io.LimitReader(b, maxEvidenceText))
	_ = b.Close()
	if err != nil {
		return m, err
	}
	m.Text, err = sanitize.AllText(bytes.NewReader(append(bytes.Clone(it.Header), body...)))
	return m, err
}
