package store

import (
	"errors"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

func TestProductionsAndRoles(t *testing.T) {
	x := newFixture(t)
	sam := x.member("sam")
	hamlet, err := x.AddProduction(x.ctx, threading.Production{Slug: "hamlet", Title: "Hamlet", OwnerID: sam.ID})
	if err != nil {
		t.Fatal(err)
	}
	lear, err := x.AddProduction(x.ctx, threading.Production{Slug: "lear", Title: "King Lear", OwnerID: sam.ID})
	if err != nil {
		t.Fatal(err)
	}
	role := func(p threading.Production, slug, title string) threading.Role {
		t.Helper()
		r, err := x.AddRole(x.ctx, threading.Role{ProductionID: p.ID, Slug: slug, Title: title})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	ophelia, _, fool := role(hamlet, "ophelia", "Ophelia"), role(hamlet, "fool", "Yorick"), role(lear, "fool", "The Fool")

	if got, err := x.ProductionBySlug(x.ctx, "hamlet"); err != nil || got != hamlet {
		t.Errorf("production %+v, %v; want %+v", got, err, hamlet)
	}
	if got, err := x.RoleBySlug(x.ctx, lear.ID, "fool"); err != nil || got != fool {
		t.Errorf("role %+v, %v; want %+v", got, err, fool)
	}
	if list, err := x.Productions(x.ctx, "hamlet", 10); err != nil || len(list) != 1 || list[0] != lear {
		t.Errorf("productions after hamlet: %+v, %v", list, err)
	}
	if list, err := x.Roles(x.ctx, hamlet.ID); err != nil || len(list) != 2 || list[1] != ophelia {
		t.Errorf("roles of hamlet: %+v, %v", list, err)
	}
	if list, err := x.Roles(x.ctx, 0); err != nil || len(list) != 3 {
		t.Errorf("all roles: %+v, %v", list, err)
	}
	for what, c := range map[string]struct{ err, want error }{
		"a second hamlet":       {second(x.AddProduction(x.ctx, threading.Production{Slug: "hamlet", Title: "H"})), ErrExists},
		"a second ophelia":      {second(x.AddRole(x.ctx, threading.Role{ProductionID: hamlet.ID, Slug: "ophelia", Title: "O"})), ErrExists},
		"an unknown production": {second(x.ProductionBySlug(x.ctx, "othello")), ErrNotFound},
		"another's role":        {second(x.RoleBySlug(x.ctx, lear.ID, "ophelia")), ErrNotFound},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", what, c.err, c.want)
		}
	}
	for _, bad := range []threading.Production{{Slug: "Ham let", Title: "x"}, {Slug: "abuse", Title: "x"}, {Slug: "x", Title: ""}, {Slug: "x", Title: "a@b.example"}} {
		if _, err := x.AddProduction(x.ctx, bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}

	f := x.start(sam, x.member("tess"), "hello")
	f.NewThread.Thread.ProductionID, f.NewThread.Thread.RoleID = hamlet.ID, ophelia.ID
	v, err := x.Thread(x.ctx, x.file(f)[0].ThreadID)
	if err != nil || v.About() != "Ophelia in Hamlet" {
		t.Errorf("the thread is about %q, %v", v.About(), err)
	}
}
