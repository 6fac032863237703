package outbound

import (
	"net"
	"testing"
)

// pipeSession is a session whose other end is closed by the test.
func pipeSession(t *testing.T) *session {
	t.Helper()
	a, b := net.Pipe()
	_ = b.Close()
	t.Cleanup(func() { _ = a.Close() })
	return newSession(a, "x")
}

func TestPool(t *testing.T) {
	p := newPool()
	if p.get("a") != nil {
		t.Error("an empty pool gives a connection")
	}
	first, second := pipeSession(t), pipeSession(t)
	p.put("a", first)
	p.put("a", second)
	if p.get("b") != nil {
		t.Error("a connection for another destination")
	}
	if p.get("a") != second || p.get("a") != first || p.get("a") != nil {
		t.Error("not the last used first")
	}
	first.broken = true
	p.put("a", first)
	second.used = maxPerConn
	p.put("a", second)
	if p.get("a") != nil {
		t.Error("a connection that is broken or old is kept")
	}
	for range 2 * maxIdleConns {
		p.put("a", pipeSession(t))
	}
	if p.count != maxIdleConns || len(p.idle["a"]) != maxIdleConns {
		t.Errorf("%d connections are kept", p.count)
	}
	p.close()
	p.put("a", pipeSession(t))
	if p.count != 0 || p.get("a") != nil {
		t.Error("a closed pool keeps connections")
	}
}
