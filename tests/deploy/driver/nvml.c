/* Stands for NVIDIA's driver library where there is no device: one that is half busy, at 400 W.
 *
 *     gcc -shared -fPIC -o libnvidia-ml.so.1 nvml.c
 *
 * Only what voxchord asks. A process that asks is listed as one that uses the device.
 */
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GIB (1ull << 30)
#define MILLIWATTS 400000ull

typedef int result;
enum { OK = 0, INSUFFICIENT_SIZE = 7 };
typedef struct { int number; } *device;
typedef struct { unsigned long long total, free, used; } memory;
typedef struct { unsigned gpu, memory; } rates;
typedef struct { unsigned pid; unsigned long long used; unsigned instance, compute; } process;

static struct { int number; } only;

static result text(char *to, unsigned room, const char *what)
{
    if (strlen(what) >= room) return INSUFFICIENT_SIZE;
    strcpy(to, what);
    return OK;
}

result nvmlInitWithFlags(unsigned flags) { return OK; }
result nvmlInit_v2(void) { return OK; }
result nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(result code) { return "not this one"; }
result nvmlSystemGetDriverVersion(char *to, unsigned room) { return text(to, room, "570.86.15"); }
result nvmlSystemGetCudaDriverVersion(int *to) { *to = 12080; return OK; }
result nvmlDeviceGetCount_v2(unsigned *to) { *to = 1; return OK; }
result nvmlDeviceGetHandleByIndex_v2(unsigned index, device *to)
{
    if (index) return 2; /* invalid argument */
    *to = (device)&only;
    return OK;
}
result nvmlDeviceGetName(device it, char *to, unsigned room) { return text(to, room, "Stand-in"); }
result nvmlDeviceGetUUID(device it, char *to, unsigned room)
{
    return text(to, room, "GPU-00000000-0000-0000-0000-000000000000");
}
result nvmlDeviceIsMigDeviceHandle(device it, unsigned *to) { *to = 0; return OK; }
result nvmlDeviceGetMemoryInfo(device it, memory *to)
{
    *to = (memory){ .total = 80 * GIB, .free = 74 * GIB, .used = 6 * GIB };
    return OK;
}
result nvmlDeviceGetUtilizationRates(device it, rates *to) { *to = (rates){ 50, 20 }; return OK; }
result nvmlDeviceGetPowerUsage(device it, unsigned *to) { *to = MILLIWATTS; return OK; }
result nvmlDeviceGetTemperature(device it, int sensor, unsigned *to) { *to = 61; return OK; }
result nvmlDeviceGetCurrentClocksEventReasons(device it, unsigned long long *to) { *to = 0; return OK; }
result nvmlDeviceGetTotalEnergyConsumption(device it, unsigned long long *to)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    *to = MILLIWATTS * now.tv_sec + MILLIWATTS * (now.tv_nsec / 1000) / 1000000;
    return OK;
}
result nvmlDeviceGetComputeRunningProcesses_v3(device it, unsigned *count, process *to)
{
    unsigned room = *count;
    *count = 1;
    if (!to || !room) return INSUFFICIENT_SIZE;
    *to = (process){ .pid = getpid(), .used = 5 * GIB };
    return OK;
}
