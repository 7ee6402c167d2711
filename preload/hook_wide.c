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

EXPORT wint_t getwchar(void)
{
    stream_before_wide(stdin);
    return REAL(getwchar)();
}

EXPORT wint_t getwchar_unlocked(void)
{
    stream_before_wide(stdin);
    return REAL(getwchar_unlocked)();
}

/* The scanf family, each in the standards' versions that binaries may have been built for. libc's
 * headers call the newest by the plain name, so the functions have other names here. */
#define SCANF(c_name, first, first_parameter, stream, name, list_name)                             \
    int list_##c_name(first_parameter const wchar_t *format, va_list args) __asm__(#list_name);    \
    EXPORT int list_##c_name(first_parameter const wchar_t *format, va_list args)                  \
    {                                                                                              \
        stream_before_wide(stream);                                                                \
        return REAL(list_name)(first format, args);                                                \
    }                                                                                              \
    int c_name(first_parameter const wchar_t *format, ...) __asm__(#name);                         \
    EXPORT int c_name(first_parameter const wchar_t *format, ...)                                  \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        int r = list_##c_name(first format, args);                                                 \
        va_end(args);                                                                              \
        return r;                                                                                  \
    }

#define OF  f,
#define ANY FILE *f,

SCANF(stream89, OF, ANY, f, fwscanf, vfwscanf)
SCANF(stream99, OF, ANY, f, __isoc99_fwscanf, __isoc99_vfwscanf)
SCANF(stream23, OF, ANY, f, __isoc23_fwscanf, __isoc23_vfwscanf)
SCANF(stdin89, , , stdin, wscanf, vwscanf)
SCANF(stdin99, , , stdin, __isoc99_wscanf, __isoc99_vwscanf)
SCANF(stdin23, , , stdin, __isoc23_wscanf, __isoc23_vwscanf)
