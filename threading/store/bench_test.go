package store

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

// BenchmarkSingleRowCommit is what the machine does at all: one small row and
// one fsync a commit. The others are compared with it.
func BenchmarkSingleRowCommit(b *testing.B) {
	db, err := openSQLite(filepath.Join(b.TempDir(), "raw.db"), "2000", "immediate", false)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)"); err != nil {
		b.Fatal(err)
	}
	insert, err := db.Prepare("INSERT INTO t (n) VALUES (?)")
	if err != nil {
		b.Fatal(err)
	}
	defer insert.Close()
	for i := 0; b.Loop(); i++ {
		if _, err := insert.Exec(i); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

// benchmarkFiling files replies of 3 KB: two copies and one queue row each.
func benchmarkFiling(b *testing.B, callers int) {
	x := newFixture(b)
	text := hex.EncodeToString(noise(750)) // compresses as text does, to a half
	for len(text) < 3000 {
		text += "Dear Tess, thank you for your answer. "
	}
	text = text[:3000]
	content := threading.Content{Structure: noise(40), Text: threading.Fold(text)}
	type pair struct {
		writer, reader threading.Member
		thread         threading.ID
	}
	pairs := make([]pair, callers)
	for i := range pairs {
		p := &pairs[i]
		p.writer, p.reader = x.member(fmt.Sprint("writer", i)), x.member(fmt.Sprint("reader", i))
		p.thread = x.file(x.start(p.writer, p.reader, "first"))[0].ThreadID
	}
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	for _, p := range pairs {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				f := x.reply(p.thread, p.writer, p.reader, "")
				f.Body.Data, f.Body.Size, f.Body.Content = []byte(text), int64(len(text)), content
				f.Dedupe = x.Keyring().Hash("dedupe", f.Message.ID.String())
				if _, err := x.File(x.ctx, f); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "filings/s")
}

func BenchmarkFile1(b *testing.B)  { benchmarkFiling(b, 1) }
func BenchmarkFile32(b *testing.B) { benchmarkFiling(b, 32) }

// BenchmarkStoreFlags100k sets and clears \Seen on 100,000 messages by one
// command.
func BenchmarkStoreFlags100k(b *testing.B) {
	x := newFixture(b)
	mb := x.mailbox(x.member("tess"), threading.Inbox)
	x.putMany(mb, 100_000)
	for i := 0; b.Loop(); i++ {
		op := []threading.FlagOp{threading.FlagsAdd, threading.FlagsRemove}[i%2]
		list, err := x.StoreFlags(x.ctx, mb.MemberID, mb.ID, everyUID, op, threading.FlagSeen, nil)
		if err != nil || len(list) != 100_000 {
			b.Fatalf("%d entries, %v", len(list), err)
		}
	}
}

// BenchmarkChanges100k is a client's CONDSTORE resync: ten changes in a mailbox
// of 100,000 messages.
func BenchmarkChanges100k(b *testing.B) {
	x := newFixture(b)
	mb := x.mailbox(x.member("tess"), threading.Inbox)
	x.putMany(mb, 100_000)
	_, since, err := x.UIDs(x.ctx, mb.MemberID, mb.ID)
	if err != nil {
		b.Fatal(err)
	}
	for i := range uint32(10) {
		uid := 1000 + 9999*i
		if _, err := x.StoreFlags(x.ctx, mb.MemberID, mb.ID, threading.UIDSet{{First: uid, Last: uid}}, threading.FlagsAdd, threading.FlagSeen, nil); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		ch, err := x.Changes(x.ctx, mb.MemberID, mb.ID, since)
		if err != nil || len(ch.Entries) != 10 {
			b.Fatal(len(ch.Entries), err)
		}
	}
}
