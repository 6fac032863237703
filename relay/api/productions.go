package api

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// productionView is a production as the API shows one.
type productionView struct {
	Slug      string     `json:"slug"`
	Title     string     `json:"title"`
	Owner     *string    `json:"owner"` // null: a former member
	CreatedAt time.Time  `json:"created_at"`
	ClosedAt  *time.Time `json:"closed_at"`
}

func (s *Server) productionView(c *call, p threading.Production, h *handles) (productionView, error) {
	owner, err := h.of(c, p.OwnerID)
	return productionView{p.Slug, p.Title, owner, p.CreatedAt.UTC(), orNull(p.ClosedAt)}, err
}

func (s *Server) listProductions(c *call) (any, error) {
	l, err := s.listing(c)
	if err != nil {
		return nil, err
	}
	list, err := s.o.Store.Productions(c, l.after, l.limit+1)
	if err != nil {
		return nil, err
	}
	h, failed := s.handles(), error(nil)
	p := paged(s, c, l, list, func(p threading.Production) string { return p.Slug }, func(p threading.Production) productionView {
		v, err := s.productionView(c, p, h)
		failed = errors.Join(failed, err)
		return v
	})
	return p, failed
}

// production finds a production by the slug in the path.
func (s *Server) production(c *call) (threading.Production, error) {
	p, err := s.o.Store.ProductionBySlug(c, c.r.PathValue("production"))
	if errors.Is(err, store.ErrNotFound) {
		err = problemf(errNotFound, "There is no production with this slug.")
	}
	return p, err
}

func (s *Server) getProduction(c *call) (any, error) {
	p, err := s.production(c)
	if err != nil {
		return nil, err
	}
	return s.productionView(c, p, s.handles())
}

// addProduction adds a production; one that is there just so is answered as it
// is.
func (s *Server) addProduction(c *call) (any, error) {
	var b struct {
		Slug  string `json:"slug"`
		Title string `json:"title"`
		Owner string `json:"owner"`
	}
	if err := c.read(&b); err != nil {
		return nil, err
	}
	b.Title = strings.TrimSpace(b.Title)
	var l checks
	l.value("/slug", b.Slug, threading.CheckSlug)
	l.value("/title", b.Title, threading.CheckName)
	l.value("/owner", b.Owner, required)
	if err := l.err(); err != nil {
		return nil, err
	}
	owner, err := s.memberNamed(c, b.Owner, noMember("/owner"))
	if err != nil {
		return nil, err
	}
	p, err := s.o.Store.AddProduction(c, threading.Production{Slug: b.Slug, Title: b.Title, OwnerID: owner.ID})
	if errors.Is(err, store.ErrExists) {
		c.status = http.StatusOK
		if p, err = s.o.Store.ProductionBySlug(c, b.Slug); err == nil && (p.Title != b.Title || p.OwnerID != owner.ID) {
			err = problemf(errConflict, "There is a production with this slug already, with another title or owner.")
		}
	}
	if err != nil {
		return nil, err
	}
	s.created(c, path("productions", p.Slug))
	return s.productionView(c, p, s.handles())
}

func (s *Server) changeProduction(c *call) (any, error) {
	var b struct {
		Title  *string `json:"title"`
		Owner  *string `json:"owner"`
		Closed *bool   `json:"closed"`
	}
	if err := c.read(&b); err != nil {
		return nil, err
	}
	var owner threading.Member
	if b.Title != nil {
		*b.Title = strings.TrimSpace(*b.Title)
		if err := threading.CheckName(*b.Title); err != nil {
			return nil, invalid(fieldError{"/title", sentence("title " + err.Error())})
		}
	}
	if b.Owner != nil {
		var err error
		if owner, err = s.memberNamed(c, *b.Owner, noMember("/owner")); err != nil {
			return nil, err
		}
	}
	now, err := s.production(c)
	if err != nil {
		return nil, err
	}
	h := s.handles()
	if _, err := h.of(c, now.OwnerID); err != nil { // the store must not be asked within its own transaction
		return nil, err
	}
	p, err := s.o.Store.ChangeProduction(c, now.Slug, func(p *threading.Production) error {
		if p.OwnerID != now.OwnerID {
			return problemf(errConflict, "It was changed at the same moment: send it again.")
		}
		view, err := s.productionView(c, *p, h)
		if err == nil {
			err = c.matches(view)
		}
		set(&p.Title, b.Title)
		if b.Owner != nil {
			p.OwnerID = owner.ID
		}
		switch {
		case b.Closed == nil:
		case !*b.Closed:
			p.ClosedAt = time.Time{}
		case p.ClosedAt.IsZero():
			p.ClosedAt = s.o.Now()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.productionView(c, p, h)
}

// roleView is a role as the API shows one.
type roleView struct {
	Slug      string    `json:"slug"`
	Title     string    `json:"title"`
	Address   string    `json:"address"` // who writes to it starts a thread about the role
	CreatedAt time.Time `json:"created_at"`
}

func (s *Server) roleView(p threading.Production, r threading.Role) roleView {
	return roleView{r.Slug, r.Title, r.Slug + "." + p.Slug + "@" + s.o.Domain, r.CreatedAt.UTC()}
}

func (s *Server) listRoles(c *call) (any, error) {
	p, err := s.production(c)
	if err != nil {
		return nil, err
	}
	list, err := s.o.Store.Roles(c, p.ID)
	out := page[roleView]{Items: []roleView{}}
	for _, r := range list {
		out.Items = append(out.Items, s.roleView(p, r))
	}
	return out, err
}

// addRole adds a role; one that is there just so is answered as it is.
func (s *Server) addRole(c *call) (any, error) {
	var b struct {
		Slug  string `json:"slug"`
		Title string `json:"title"`
	}
	if err := c.read(&b); err != nil {
		return nil, err
	}
	b.Title = strings.TrimSpace(b.Title)
	var l checks
	l.value("/slug", b.Slug, threading.CheckSlug)
	l.value("/title", b.Title, threading.CheckName)
	if err := l.err(); err != nil {
		return nil, err
	}
	p, err := s.production(c)
	if err != nil {
		return nil, err
	}
	r, err := s.o.Store.AddRole(c, threading.Role{ProductionID: p.ID, Slug: b.Slug, Title: b.Title})
	if errors.Is(err, store.ErrExists) {
		c.status = http.StatusOK
		if r, err = s.o.Store.RoleBySlug(c, p.ID, b.Slug); err == nil && r.Title != b.Title {
			err = problemf(errConflict, "The production has a role with this slug already, with another title.")
		}
	}
	if err != nil {
		return nil, err
	}
	s.created(c, path("productions", p.Slug, "roles", r.Slug))
	return s.roleView(p, r), nil
}

// role finds a role by the slugs in the path.
func (s *Server) role(c *call) (threading.Production, threading.Role, error) {
	p, err := s.production(c)
	if err != nil {
		return p, threading.Role{}, err
	}
	r, err := s.o.Store.RoleBySlug(c, p.ID, c.r.PathValue("role"))
	if errors.Is(err, store.ErrNotFound) {
		err = problemf(errNotFound, "The production has no role with this slug.")
	}
	return p, r, err
}

func (s *Server) getRole(c *call) (any, error) {
	p, r, err := s.role(c)
	return s.roleView(p, r), err
}

func (s *Server) changeRole(c *call) (any, error) {
	var b struct {
		Title *string `json:"title"`
	}
	if err := c.read(&b); err != nil {
		return nil, err
	}
	p, r, err := s.role(c)
	if err != nil {
		return nil, err
	}
	if b.Title == nil {
		return s.roleView(p, r), nil
	}
	r.Title = strings.TrimSpace(*b.Title)
	if err := threading.CheckName(r.Title); err != nil {
		return nil, invalid(fieldError{"/title", sentence("title " + err.Error())})
	}
	return s.roleView(p, r), s.o.Store.SetRoleTitle(c, r.ID, r.Title)
}
