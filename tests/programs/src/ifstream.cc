/* std::ifstream: seekg, tellg, getline, read, rdbuf, and a FILE* beside it. */
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

int main(int argc, char **argv)
{
    const std::string tree = argv[argc - 1];
    std::ifstream text(tree + "/text/alpha.txt");
    std::string line, word;
    std::getline(text, line);
    std::cout << line << " " << text.tellg() << "\n";
    text >> word;
    std::cout << word << " " << text.peek() << "\n";
    long lines = 0;
    while (std::getline(text, line))
        lines++;
    std::cout << lines << " " << text.eof() << " " << line << "\n";

    std::ifstream data(tree + "/sizes/9MiB", std::ios::binary | std::ios::ate);
    std::cout << data.tellg() << "\n";
    std::vector<char> buffer(5'000'000);
    for (long offset : {0L, 4194303L, 4194304L, 9437180L, 100L}) {
        data.clear();
        data.seekg(offset);
        data.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
        unsigned long sum = 0;
        for (std::streamsize i = 0; i < data.gcount(); i++)
            sum = sum * 31 + static_cast<unsigned char>(buffer[static_cast<size_t>(i)]);
        std::cout << offset << " " << data.gcount() << " " << data.eof() << " " << sum << "\n";
    }
    data.clear();
    data.seekg(-4, std::ios::end);
    std::cout << data.tellg() << " " << data.get() << " ";
    data.unget();
    std::cout << data.get() << " " << data.tellg() << "\n";

    std::ifstream crlf(tree + "/text/crlf.txt", std::ios::binary);
    std::ostringstream copy;
    copy << crlf.rdbuf();
    std::cout << copy.str();
    std::ifstream again(tree + "/text/utf8.txt");
    std::string whole((std::istreambuf_iterator<char>(again)), std::istreambuf_iterator<char>());
    std::cout << whole.size() << "\n";

    std::ifstream missing(tree + "/missing"), empty(tree + "/empty"), folder(tree + "/text");
    std::cout << missing.is_open() << empty.is_open() << empty.good() << " " << (empty.get() == EOF) << "\n";
    std::cout << (folder.get() == EOF) << "\n";
    std::fstream both(tree + "/one-byte", std::ios::in);
    std::cout << both.rdbuf()->in_avail() << " " << static_cast<char>(both.get()) << "\n";
}
