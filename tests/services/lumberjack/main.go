// A receiver of the lumberjack protocol for tests: the reference server, go-lumber, and a file.
//
// What is acknowledged stands in the file before, one event a line, in the bytes that came. It
// survives a kill -9 there, so a test can kill this program at any moment and compare.
package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"time"

	protocol "github.com/elastic/go-lumber/log"
	"github.com/elastic/go-lumber/server/v2"
)

var errNotJSON = errors.New("the event is no JSON object")

func main() {
	var (
		listen    = flag.String("listen", "127.0.0.1:0", "address; the one taken is told on stdout")
		path      = flag.String("file", "", "where acknowledged events go")
		cert      = flag.String("certificate", "", "with -key: speak TLS")
		key       = flag.String("key", "", "")
		delay     = flag.Duration("delay", 0, "how long a batch is worked on before its ack")
		keepalive = flag.Duration("keepalive", 3*time.Second, "acks of 0 meanwhile")
		timeout   = flag.Duration("timeout", 30*time.Second, "for a batch that began")
	)
	flag.Parse()
	protocol.Logger = log.New(io.Discard, "", 0)
	if err := run(*listen, *path, *cert, *key, *delay, *keepalive, *timeout); err != nil {
		log.Fatal(err)
	}
}

func run(listen, path, cert, key string, delay, keepalive, timeout time.Duration) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	address := listener.Addr()
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return err
		}
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}})
	}
	server, err := v2.NewWithListener(
		listener, v2.JSONDecoder(keepBytes), v2.Keepalive(keepalive), v2.Timeout(timeout))
	if err != nil {
		return err
	}
	fmt.Println(address)
	for batch := range server.ReceiveChan() {
		time.Sleep(delay)
		var lines []byte
		for _, event := range batch.Events {
			lines = append(append(lines, event.(json.RawMessage)...), '\n')
		}
		if _, err := file.Write(lines); err != nil {
			return err
		}
		batch.ACK()
	}
	return nil
}

// keepBytes keeps the event as it came; go-lumber reuses its buffer, hence the copy.
func keepBytes(data []byte, event interface{}) error {
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil || fields == nil {
		return errNotJSON
	}
	*event.(*interface{}) = append(json.RawMessage(nil), data...)
	return nil
}
