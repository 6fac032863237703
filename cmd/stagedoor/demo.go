package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/config"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
)

// demoDomain is the domain of the demo's members.
const demoDomain = "msg.demo.example"

// errDemoFailed is the exit status 1 of a play in which a check did not hold.
var errDemoFailed = errors.New("the demo failed: not every check held")

func newDemoCommand() *cobra.Command {
	var once, verbose bool
	cmd := &cobra.Command{
		Use: "demo", Short: "Play a whole conversation on loopback, check it, then let a mail client connect",
		Long: "Start everything on loopback with data that is thrown away, and a small SMTP server that plays the internet;\n" +
			"play a conversation between two members over real sockets and print it with what was verified.\n" +
			"Then keep serving, so that you can connect a mail client and open the members' pages, until Ctrl-C.",
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), once, verbose)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "end after the play: exit status 0 if every check held, 1 if not")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "show the daemon's log on standard error")
	return cmd
}

// demo runs the play, and then serves until a signal unless once is set.
func demo(ctx context.Context, out, stderr io.Writer, once, verbose bool) (err error) {
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer cancel()
	dir, err := os.MkdirTemp("", "stagedoor-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo's data: %w", err)
	}
	defer os.RemoveAll(dir)
	world, err := startInternet()
	if err != nil {
		return err
	}
	defer world.stop()
	cfg, err := demoConfig(dir, world.addr)
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	if verbose {
		log, _ = newLogger(cfg, stderr)
	}
	d, err := newDaemon(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() {
		stopContext, cancel := context.WithTimeout(context.Background(), stopTime)
		defer cancel()
		err = errors.Join(err, d.stop(stopContext))
	}()
	if err := d.start(); err != nil {
		return err
	}
	p := &play{
		out: out, domain: cfg.Domain, store: d.open.Store, pipeline: d.pipeline, internet: world,
		mx: d.bound.smtp[0], smtp: d.bound.submission[0], imap: d.bound.imap[0], imapTLS: d.bound.imapTLS[0],
	}
	if err := p.cast(ctx); err != nil {
		return err
	}
	if err := p.run(ctx); err != nil {
		return err
	}
	if once {
		if p.failed > 0 {
			return errDemoFailed
		}
		return nil
	}
	p.invite(d)
	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "\nStopping; the demo's data is thrown away.")
	case err = <-d.failed:
	}
	return err
}

// demoConfig is the development configuration on the demo's ports, or on free
// ones where they are taken, with its data in dir.
func demoConfig(dir, smarthost string) (*config.Config, error) {
	cfg, err := config.Dev(demoDomain)
	if err != nil {
		return nil, err
	}
	cfg.Brand = "Stagedoor"
	cfg.Storage = config.Storage{
		DSN:     "sqlite:" + filepath.Join(dir, "stagedoor.db"),
		KeyFile: filepath.Join(dir, "secret.key"),
		TempDir: filepath.Join(dir, "tmp"),
	}
	cfg.DKIM.KeyFile = filepath.Join(dir, "dkim.pem")
	cfg.Outbound.Smarthost = "smtp://" + smarthost
	for _, list := range [][]string{cfg.SMTP.Listen, cfg.Submission.Listen, cfg.Submission.ListenTLS, cfg.IMAP.Listen, cfg.IMAP.ListenTLS, cfg.HTTP.Listen} {
		for i, address := range list {
			list[i] = freeAddress(address)
		}
	}
	if "http://"+cfg.HTTP.Listen[0] != cfg.HTTP.BaseURL {
		cfg.HTTP.BaseURL = "" // where its pages are is known when the port is
	}
	return cfg, nil
}

// freeAddress returns the address if nobody listens there, else one with a
// port that the system chooses.
func freeAddress(address string) string {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = l.Close()
	return address
}

// cast makes the members, the production and the role.
func (p *play) cast(ctx context.Context) error {
	p.sam = person{Member: threading.Member{Handle: "sam", Name: "Sam Casting"}, real: "sam.casting@agency.example", password: "curtain-up"}
	p.tess = person{Member: threading.Member{Handle: "tess", Name: "Tess Talent"}, real: "tess.private@homemail.example", password: "break-a-leg"}
	for _, who := range []*person{&p.sam, &p.tess} {
		m, err := p.store.AddMember(ctx, who.Member, []string{who.real})
		if err != nil {
			return fmt.Errorf("add %s: %w", who.Handle, err)
		}
		who.Member = m
		err = p.store.SetCredential(ctx, threading.Credential{
			MemberID: m.ID, Kind: threading.CredentialPassword, Label: "password", Verifier: seal.NewVerifier(who.password),
		})
		if err != nil {
			return fmt.Errorf("set %s's password: %w", who.Handle, err)
		}
	}
	hamlet, err := p.store.AddProduction(ctx, threading.Production{Slug: "hamlet", Title: "Hamlet", OwnerID: p.sam.ID})
	if err != nil {
		return fmt.Errorf("add the production: %w", err)
	}
	if _, err := p.store.AddRole(ctx, threading.Role{ProductionID: hamlet.ID, Slug: "ophelia", Title: "Ophelia"}); err != nil {
		return fmt.Errorf("add the role: %w", err)
	}
	return nil
}

// invite prints how to connect a mail client.
func (p *play) invite(d *daemon) {
	port := func(address string) string {
		_, port, _ := net.SplitHostPort(address)
		return port
	}
	fmt.Fprintf(p.out, `
Connect Thunderbird (Account Settings, Account Actions, Add Mail Account, then Configure manually):

              Sam                             Tess
    E-mail    sam@%[1]s            tess@%[1]s
    User      sam                             tess
    Password  %-31[2]s %[3]s

    Incoming  IMAP   127.0.0.1  port %[4]s  SSL/TLS   (or %[5]s, no encryption)
    Outgoing  SMTP   127.0.0.1  port %[6]s  SSL/TLS   (or %[7]s, STARTTLS)

    The certificate is self-signed: accept it when the mail program asks.
    Write to the other's address, or press Reply. What is sent to a real address stays in this program.

The members' pages; sign in with the user and the password above:

    Account   http://%[9]s/account         alerts, addresses, passwords, blocked members, export
    Contact   http://%[9]s/contact/tess    as Sam: the form behind the Contact button of her profile
              http://%[9]s/contact/sam     as Tess

    Regular e-mail is taken on 127.0.0.1:%[8]s.  Health: http://%[9]s/healthz

Serving until Ctrl-C.
`, p.domain, p.sam.password, p.tess.password, port(p.imapTLS), port(p.imap), port(d.bound.submissionTLS[0]), port(p.smtp), port(p.mx), d.bound.http[0])
}
