// The AWS SDK for Go v2, its chime client: as many goroutines share one client.
// Arguments: URL CALLS CALLERS.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/chime"
	"github.com/aws/aws-sdk-go-v2/service/chime/types"
)

func main() {
	calls, _ := strconv.Atoi(os.Args[2])
	callers, _ := strconv.Atoi(os.Args[3])
	client := chime.New(chime.Options{
		Region:           "us-east-1",
		Credentials:      credentials.NewStaticCredentialsProvider("benchmark", "benchmark", ""),
		EndpointResolver: chime.EndpointResolverFromURL(os.Args[1]),
		RetryMaxAttempts: 1,
		HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConnsPerHost = callers
		}),
	})
	request := &chime.CreateProxySessionInput{
		VoiceConnectorId:        aws.String("abcdef1ghij2klmno3pqr4"),
		ParticipantPhoneNumbers: []string{"+14155550100", "+14155550101"},
		Capabilities:            []types.Capability{types.CapabilityVoice, types.CapabilitySms},
	}
	latencies := make([]float64, calls)
	turns := make(chan int, calls)
	for i := 0; i < calls; i++ {
		turns <- i
	}
	close(turns)
	var workers sync.WaitGroup
	began := time.Now()
	for i := 0; i < callers; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for turn := range turns {
				begun := time.Now()
				if _, err := client.CreateProxySession(context.Background(), request); err != nil {
					log.Fatal(err)
				}
				latencies[turn] = time.Since(begun).Seconds()
			}
		}()
	}
	workers.Wait()
	seconds := time.Since(began).Seconds()
	sort.Float64s(latencies)
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"calls":   calls,
		"seconds": seconds,
		"p50":     latencies[calls/2],
		"p99":     latencies[calls*99/100],
	})
}
