/* Reading wide characters from a stream of ours: libc then reads the stream's descriptor itself, so
 * there has to be a real file behind it before the first of them. */
#include "preload/hook.h"
#include "preload/stream.h"

EXPORT int fwide(FILE *stream, int mode)
{
    if (mode > 0)
        stream_before_wide(stream);
    return REAL(fwide)(stream, mode);
}

EXPORT wint_t fgetwc(FILE *stream)
{
    stream_before_wide(stream);
    return REAL(fgetwc)(stream);
}

EXPORT wint_t fgetwc_unlocked(FILE *stream)
{
    stream_before_wide(stream);
    return REAL(fgetwc_unlocked)(stream);
}

EXPORT wchar_t *fgetws(wchar_t *buf, int n, FILE *stream)
{
    stream_before_wide(stream);
    return REAL(fgetws)(buf, n, stream);
}

EXPORT wchar_t *fgetws_unlocked(wchar_t *buf, int n, FILE *stream)
{
    stream_before_wide(stream);
    return REAL(fgetws_unlocked)(buf, n, stream);
}

wchar_t *__fgetws_chk(wchar_t *buf, size_t room, int n, FILE *stream);
EXPORT wchar_t *__fgetws_chk(wchar_t *buf, size_t room, int n, FILE *stream)
{
    stream_before_wide(stream);
    return REAL(__fgetws_chk)(buf, room, n, stream);
}

wchar_t *__fgetws_unlocked_chk(wchar_t *buf, size_t room, int n, FILE *stream);
EXPORT wchar_t *__fgetws_unlocked_chk(wchar_t *buf, size_t room, int n, FILE *stream)
{
    stream_before_wide(stream);
    return REAL(__fgetws_unlocked_chk)(buf, room, n, stream);
}

EXPORT wint_t ungetwc(wint_t c, FILE *stream)
{
    stream_before_wide(stream);
    return REAL(ungetwc)(c, stream);
}

/* The scanf family, each in the standard's versions that binaries may have been built for. */
#define SCANF(name, list_name)                                                                     \
    int list_name(FILE *stream, const wchar_t *format, va_list args);                              \
    EXPORT int list_name(FILE *stream, const wchar_t *format, va_list args)                        \
    {                                                                                              \
        stream_before_wide(stream);                                                                \
        return REAL(list_name)(stream, format, args);                                              \
    }                                                                                              \
    int name(FILE *stream, const wchar_t *format, ...);                                            \
    EXPORT int name(FILE *stream, const wchar_t *format, ...)                                      \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        int r = list_name(stream, format, args);                                                   \
        va_end(args);                                                                              \
        return r;                                                                                  \
    }

SCANF(__isoc99_fwscanf, __isoc99_vfwscanf)
SCANF(__isoc23_fwscanf, __isoc23_vfwscanf)
