package web

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// Each has an hour of its own, from the first time.
func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l limiter
		want := func(who string, allowed bool) {
			t.Helper()
			if got := l.allow(who, 2); got != allowed {
				t.Errorf("%s: %v", who, got)
			}
		}
		want("tess", true)
		time.Sleep(40 * time.Minute)
		want("tess", true)
		want("tess", false)
		want("sam", true)
		if l.used("tess") != 3 || l.used("otto") != 0 {
			t.Errorf("used %d, %d", l.used("tess"), l.used("otto"))
		}
		time.Sleep(21 * time.Minute)
		if l.used("tess") != 0 || l.used("sam") != 1 {
			t.Errorf("used %d, %d", l.used("tess"), l.used("sam"))
		}
		want("tess", true)
		want("sam", true)
		want("sam", false)
		if !l.allow("sam", 0) {
			t.Error("without a bound there is one")
		}
	})
}

// Of too many the oldest is forgotten, and no other.
func TestLimiterIsBounded(t *testing.T) {
	var l limiter
	l.allow("first", 1)
	l.allow("second", 1)
	for i := range maxLimited - 1 {
		l.allow(fmt.Sprint(i), 1)
	}
	if len(l.count) != maxLimited || l.began.Len() != maxLimited {
		t.Errorf("%d and %d are counted", len(l.count), l.began.Len())
	}
	if l.used("first") != 0 || l.used("second") != 1 {
		t.Errorf("the first: %d, the second: %d", l.used("first"), l.used("second"))
	}
	if l.allow("second", 1) {
		t.Error("a flood of others has cleared the count")
	}
}

// Neighbours in one IPv6 network are one.
func TestNetworks(t *testing.T) {
	var l limiter
	ip := network(&http.Request{RemoteAddr: "[2001:db8::1]:1"})
	neighbour := network(&http.Request{RemoteAddr: "[2001:db8::2]:1"})
	other := network(&http.Request{RemoteAddr: "192.0.2.1:1"})
	for i, c := range []bool{l.allow(ip, 2), l.allow(neighbour, 2), l.allow(ip, 2), l.allow(other, 2)} {
		if want := i != 2; c != want {
			t.Errorf("call %d: %v", i, c)
		}
	}
}
