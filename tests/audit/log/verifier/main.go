// Checks a log served as tlog-tiles with golang.org/x/mod/sumdb: the note, the tree and every record.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func get(url, token string) []byte {
	r, _ := http.NewRequest("GET", url, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		panic(err)
	}
	defer a.Body.Close()
	b, _ := io.ReadAll(a.Body)
	if a.StatusCode != 200 {
		panic(fmt.Sprint(url, " ", a.StatusCode, " ", string(b)))
	}
	return b
}

func path(n int64, w int, size int) string {
	s := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		s = fmt.Sprintf("x%03d/%s", n%1000, s)
	}
	if w != size {
		s += fmt.Sprintf(".p/%d", w)
	}
	return s
}

type reader struct{ base string }

func (r reader) Height() int { return 8 }
func (r reader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range tiles {
		out = append(out, get(fmt.Sprintf("%s/tile/%d/%s", r.base, t.L, path(t.N, t.W, 256)), ""))
	}
	return out, nil
}
func (r reader) SaveTiles([]tlog.Tile, [][]byte) {}

func main() {
	base, vkey, token := os.Args[1], os.Args[2], os.Args[3]
	v, err := note.NewVerifier(vkey)
	if err != nil {
		panic(err)
	}
	n, err := note.Open(get(base+"/checkpoint", ""), note.VerifierList(v))
	if err != nil {
		panic(err)
	}
	lines := strings.Split(n.Text, "\n")
	size, _ := strconv.ParseInt(lines[1], 10, 64)
	raw, _ := base64.StdEncoding.DecodeString(lines[2])
	var tree tlog.Tree
	tree.N = size
	copy(tree.Hash[:], raw)
	hr := tlog.TileHashReader(tree, reader{base})
	root, err := tlog.TreeHash(size, hr)
	if err != nil || root != tree.Hash {
		panic(fmt.Sprint("tree: ", err))
	}
	checked := int64(0)
	for first := int64(0); first < size; first += 256 {
		w := int(min(size-first, 256))
		b := get(fmt.Sprintf("%s/tile/entries/%s", base, path(first/256, w, 256)), token)
		for i := 0; i < w; i++ {
			l := binary.BigEndian.Uint16(b)
			entry := b[2 : 2+l]
			b = b[2+l:]
			h := tlog.RecordHash(entry)
			p, err := tlog.ProveRecord(size, first+int64(i), hr)
			if err != nil {
				panic(err)
			}
			if err := tlog.CheckRecord(p, size, root, first+int64(i), h); err != nil {
				panic(err)
			}
			checked++
		}
	}
	for old := int64(1); old <= size; old += 1 + size/50 {
		p, err := tlog.ProveTree(size, old, hr)
		if err != nil {
			panic(err)
		}
		oh, err := tlog.TreeHash(old, hr)
		if err != nil {
			panic(err)
		}
		if err := tlog.CheckTree(p, size, root, old, oh); err != nil {
			panic(err)
		}
		// The proof that the service makes is the same.
		body := string(get(fmt.Sprintf("%s/proof/consistency?old=%d", base, old), ""))
		var want []string
		for _, h := range p {
			want = append(want, base64.StdEncoding.EncodeToString(h[:]))
		}
		got := strings.Split(strings.SplitN(body, "\n\n", 2)[0], "\n")[1:]
		if old < size && strings.Join(got, " ") != strings.Join(want, " ") {
			panic(fmt.Sprint("consistency from ", old, ": ", got, want))
		}
	}
	fmt.Println("ok", n.Sigs[0].Name, size, checked)
}
