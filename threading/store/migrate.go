package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema up to date: each numbered file once, in order, each
// in a transaction of its own with the version that it brings.
func migrate(ctx context.Context, conn *sql.Conn) error {
	files, err := fs.ReadDir(migrations, "migrations") // sorted by name
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	var version int
	if err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if version > len(files) {
		return fmt.Errorf("the database has schema version %d and this program knows %d: it was used with a newer version; run that one", version, len(files))
	}
	for i := version; i < len(files); i++ {
		text, err := fs.ReadFile(migrations, "migrations/"+files[i].Name())
		if err != nil {
			return fmt.Errorf("read migration %s: %w", files[i].Name(), err)
		}
		if err := migrateOne(ctx, conn, i, string(text)); err != nil {
			return fmt.Errorf("migration %s: %w", files[i].Name(), err)
		}
	}
	return nil
}

func migrateOne(ctx context.Context, conn *sql.Conn, from int, text string) (err error) {
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, _ = conn.ExecContext(ctx, "ROLLBACK")
		}
	}()
	var version int
	if err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version == from { // else another process was faster
		if _, err := conn.ExecContext(ctx, text); err != nil {
			return err
		}
		if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", from+1)); err != nil {
			return err
		}
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}
