package journal

import (
	"encoding/binary"
	"hash/crc32"
	"sync"

	sqlite3 "modernc.org/sqlite/lib"
)

// SQLite does not notice when a bit of its file turns: a lost entry of an index
// reads as "no such run", and a run would be done twice. So the last eight bytes
// of every page of the main file, which SQLite leaves alone ("reserved"), hold a
// seal: a checksum of the page and its number. It is put on when a checkpoint
// writes the page and looked at whenever one is read; then it is cleared in
// memory, so that what goes to the WAL, which has checksums of its own, carries
// none. A page without a seal is therefore one that another program (the sqlite3
// tool) moved from the WAL to the main file; it is taken as it is.
const (
	pageSize  = 4096
	sealSize  = 8
	sealMagic = 0x5ea1ed01
	sealedVFS = "host-journal"
	magic     = "SQLite format 3\x00"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sealOf(page []byte, offset int64) uint32 {
	var number [8]byte
	binary.LittleEndian.PutUint64(number[:], uint64(offset/pageSize)+1)
	return crc32.Update(crc32.Checksum(number[:], castagnoli), castagnoli, page[:pageSize-sealSize])
}

func seal(file int32, page []byte, offset int64) int32 {
	if file == mainFile && len(page) == pageSize {
		end := page[pageSize-sealSize:]
		binary.LittleEndian.PutUint32(end, sealOf(page, offset))
		binary.LittleEndian.PutUint32(end[4:], sealMagic)
	}
	return sqlite3.SQLITE_OK
}

func unseal(file int32, page []byte, offset int64) int32 {
	if file != mainFile || len(page) != pageSize {
		return sqlite3.SQLITE_OK
	}
	end := page[pageSize-sealSize:]
	if binary.LittleEndian.Uint64(end) == 0 {
		if wiped(page) {
			return sqlite3.SQLITE_IOERR_DATA
		}
		return sqlite3.SQLITE_OK
	}
	if binary.LittleEndian.Uint32(end) != sealOf(page, offset) || binary.LittleEndian.Uint32(end[4:]) != sealMagic {
		return sqlite3.SQLITE_IOERR_DATA
	}
	clear(end)
	return sqlite3.SQLITE_OK
}

// wiped reports whether the end of a page with entries, where the oldest of them
// lies, holds nothing but zeros: then the seal is not missing, it went with the
// rest.
func wiped(page []byte) bool {
	header := page
	if string(page[:16]) == magic {
		header = page[100:]
	}
	switch header[0] {
	case 2, 5, 10, 13: // the nodes of trees
	default:
		return false
	}
	const tail = 16
	return binary.BigEndian.Uint16(header[3:]) > 0 && [tail]byte(page[pageSize-sealSize-tail:]) == [tail]byte{}
}

// sealed registers the VFS that seals pages, once.
var sealed = sync.OnceValue(func() error {
	return (&layer{name: sealedVFS, read: unseal, write: seal}).register("")
})

// firstPage is the whole file of an empty database: its header says that it is a
// WAL database with room for seals, which no statement can say, and that it is
// a journal of host.
func firstPage() []byte {
	p := make([]byte, pageSize)
	copy(p, magic)
	binary.BigEndian.PutUint16(p[16:], pageSize)
	p[18], p[19] = 2, 2 // written and read as WAL
	p[20] = sealSize
	p[21], p[22], p[23] = 64, 32, 32
	binary.BigEndian.PutUint32(p[24:], 1)             // change counter
	binary.BigEndian.PutUint32(p[28:], 1)             // pages
	binary.BigEndian.PutUint32(p[44:], 4)             // schema format
	binary.BigEndian.PutUint32(p[56:], 1)             // UTF-8
	binary.BigEndian.PutUint32(p[68:], applicationID) //
	binary.BigEndian.PutUint32(p[92:], 1)             // the counter that the next is valid for
	binary.BigEndian.PutUint32(p[96:], 3051003)       // the SQLite that wrote it
	p[100] = 13                                       // an empty leaf of a table
	binary.BigEndian.PutUint16(p[105:], pageSize-sealSize)
	seal(mainFile, p, 0)
	return p
}
