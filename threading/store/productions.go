package store

import (
	"context"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

const productionColumns = "p.id, p.slug, p.title, p.owner_id, p.created_at, p.closed_at"

func scanProduction(r scanner) (threading.Production, error) {
	var p threading.Production
	var created, closed int64
	err := r.Scan(&p.ID, &p.Slug, &p.Title, &p.OwnerID, &created, &closed)
	p.CreatedAt, p.ClosedAt = fromMillis(created), fromMillis(closed)
	return p, err
}

const roleColumns = "r.id, r.production_id, r.slug, r.title, r.created_at"

func scanRole(r scanner) (threading.Role, error) {
	var x threading.Role
	var created int64
	err := r.Scan(&x.ID, &x.ProductionID, &x.Slug, &x.Title, &created)
	x.CreatedAt = fromMillis(created)
	return x, err
}

func checkTitled(slug, title string) error {
	if err := threading.CheckSlug(slug); err != nil {
		return fmt.Errorf("the slug %w", err)
	}
	if err := threading.CheckName(title); err != nil {
		return fmt.Errorf("the title %w", err)
	}
	return nil
}

// AddProduction adds a production; ID and CreatedAt are set here. ErrExists.
func (s *Store) AddProduction(ctx context.Context, p threading.Production) (threading.Production, error) {
	if err := checkTitled(p.Slug, p.Title); err != nil {
		return p, err
	}
	p.ID, p.CreatedAt = s.o.IDs.Next(), s.o.Now().UTC().Truncate(time.Millisecond)
	err := s.c.commit(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO productions (id, slug, title, owner_id, created_at) VALUES (?, ?, ?, ?, ?)", p.ID, p.Slug, p.Title, p.OwnerID, millis(p.CreatedAt))
		if isUnique(err) {
			return fmt.Errorf("the production %s: %w", p.Slug, ErrExists)
		}
		return err
	})
	return p, err
}

// ProductionBySlug returns a production. ErrNotFound.
func (s *Store) ProductionBySlug(ctx context.Context, slug string) (threading.Production, error) {
	return scanOne(scanProduction(s.queryRow(ctx, "SELECT "+productionColumns+" FROM productions p WHERE p.slug = ?", slug)))
}

// CloseProduction ends a production's conversations, or opens it again.
// Closing twice is no error. ErrNotFound.
func (s *Store) CloseProduction(ctx context.Context, id threading.ID, closed bool) error {
	var at int64
	if closed {
		at = millis(s.o.Now())
	}
	return s.c.commit(ctx, func(t *tx) error {
		return changed(t.exec("UPDATE productions SET closed_at = CASE WHEN closed_at > 0 AND ? > 0 THEN closed_at ELSE ? END WHERE id = ?", at, at, id))
	})
}

// Productions lists productions by slug, after the given one, at most limit.
func (s *Store) Productions(ctx context.Context, after string, limit int) ([]threading.Production, error) {
	var list []threading.Production
	err := s.rows(ctx, "SELECT "+productionColumns+" FROM productions p WHERE p.slug > ? ORDER BY p.slug LIMIT ?", []any{after, limit}, func(r scanner) error {
		p, err := scanProduction(r)
		list = append(list, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the productions: %w", err)
	}
	return list, nil
}

// ChangeProduction changes Title, OwnerID and ClosedAt as f says, which sees the production
// as it is within the same transaction. f may run more than once; an error of its
// own ends it all. ErrNotFound.
func (s *Store) ChangeProduction(ctx context.Context, slug string, f func(*threading.Production) error) (threading.Production, error) {
	var p threading.Production
	err := s.c.commit(ctx, func(t *tx) (err error) {
		if p, err = scanOne(scanProduction(txRow{t, "SELECT " + productionColumns + " FROM productions p WHERE p.slug = ?", []any{slug}})); err != nil {
			return err
		}
		if err := f(&p); err != nil {
			return err
		}
		if err := checkTitled(p.Slug, p.Title); err != nil {
			return err
		}
		_, err = t.exec("UPDATE productions SET title = ?, owner_id = ?, closed_at = ? WHERE id = ?", p.Title, p.OwnerID, millis(p.ClosedAt), p.ID)
		return err
	})
	return p, err
}

// SetRoleTitle changes a role's title. ErrNotFound.
func (s *Store) SetRoleTitle(ctx context.Context, id threading.ID, title string) error {
	if err := threading.CheckName(title); err != nil {
		return fmt.Errorf("the title %w", err)
	}
	return s.c.commit(ctx, func(t *tx) error {
		return changed(t.exec("UPDATE roles SET title = ? WHERE id = ?", title, id))
	})
}

// ProductionsOf lists the open productions that one of these members owns, by title,
// at most 200.
func (s *Store) ProductionsOf(ctx context.Context, a, b threading.ID) ([]threading.Production, error) {
	var list []threading.Production
	err := s.rows(ctx, "SELECT "+productionColumns+" FROM productions p WHERE p.owner_id IN (?, ?) AND p.closed_at = 0 ORDER BY p.title, p.id LIMIT 200", []any{a, b}, func(r scanner) error {
		p, err := scanProduction(r)
		list = append(list, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the productions: %w", err)
	}
	return list, nil
}

// AddRole adds a role to a production; ID and CreatedAt are set here. ErrExists.
func (s *Store) AddRole(ctx context.Context, r threading.Role) (threading.Role, error) {
	if err := checkTitled(r.Slug, r.Title); err != nil {
		return r, err
	}
	r.ID, r.CreatedAt = s.o.IDs.Next(), s.o.Now().UTC().Truncate(time.Millisecond)
	err := s.c.commit(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO roles (id, production_id, slug, title, created_at) VALUES (?, ?, ?, ?, ?)", r.ID, r.ProductionID, r.Slug, r.Title, millis(r.CreatedAt))
		if isUnique(err) {
			return fmt.Errorf("the role %s: %w", r.Slug, ErrExists)
		}
		return err
	})
	return r, err
}

// RoleBySlug returns a role of a production. ErrNotFound.
func (s *Store) RoleBySlug(ctx context.Context, productionID threading.ID, slug string) (threading.Role, error) {
	return scanOne(scanRole(s.queryRow(ctx, "SELECT "+roleColumns+" FROM roles r WHERE r.production_id = ? AND r.slug = ?", productionID, slug)))
}

// Roles lists the roles of a production by slug; of all productions if it is
// zero.
func (s *Store) Roles(ctx context.Context, productionID threading.ID) ([]threading.Role, error) {
	var list []threading.Role
	err := s.rows(ctx, "SELECT "+roleColumns+" FROM roles r WHERE ? IN (0, r.production_id) ORDER BY r.production_id, r.slug LIMIT 100000", []any{productionID}, func(r scanner) error {
		x, err := scanRole(r)
		list = append(list, x)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the roles: %w", err)
	}
	return list, nil
}
