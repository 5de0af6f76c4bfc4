// Appends entries to Tessera's log on a POSIX file system, and prints the seconds until all of them are durable and
// integrated. Arguments: an empty folder, and a number of entries.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	ctx := context.Background()
	count, err := strconv.Atoi(os.Args[2])
	must(err)
	secret, _, err := note.GenerateKey(rand.Reader, "benchmark")
	must(err)
	signer, err := note.NewSigner(secret)
	must(err)
	driver, err := posix.New(ctx, posix.Config{Path: os.Args[1]})
	must(err)
	options := tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(time.Second).
		WithBatching(2000, 100*time.Millisecond).
		WithPushback(uint(count) + 1)
	appender, shutdown, _, err := tessera.NewAppender(ctx, driver, options)
	must(err)
	entries := make([]*tessera.Entry, count)
	for at := range entries {
		entries[at] = tessera.NewEntry([]byte(fmt.Sprintf("an entry of about the length of an audit leaf: %0200d", at)))
	}
	began := time.Now()
	waiting := make([]tessera.IndexFuture, count)
	for at, entry := range entries {
		waiting[at] = appender.Add(ctx, entry)
	}
	for _, future := range waiting {
		_, err := future()
		must(err)
	}
	fmt.Printf("%f\n", time.Since(began).Seconds())
	must(shutdown(ctx))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
